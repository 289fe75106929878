//! Sockets that whoever started us has opened, as systemd does (`LISTEN_FDS`, sd_listen_fds(3)).

use std::net::TcpListener;

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;

/// The sockets that were handed over.
pub struct Inherited(ListenFd);

impl Inherited {
    /// Takes what the environment names. To be called once, while there is no other thread.
    pub fn take() -> Self {
        Self(ListenFd::from_env())
    }

    /// The socket to serve HTTP on; none if none was handed over.
    ///
    /// # Errors
    /// When there are several, or it is something else.
    pub fn into_listener(mut self) -> Result<Option<TcpListener>> {
        const WHAT: &str = "hand over one listening TCP socket, or unset LISTEN_FDS";
        if self.0.len() > 1 {
            bail!("{} sockets were handed over in LISTEN_FDS, and there is one to serve; {WHAT}", self.0.len());
        }
        if self.0.len() == 0 {
            return Ok(None);
        }
        self.0.take_tcp_listener(0).with_context(|| format!("the socket in LISTEN_FDS cannot be served; {WHAT}"))
    }
}
