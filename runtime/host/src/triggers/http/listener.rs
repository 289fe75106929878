use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Where HTTP is served.
#[derive(Debug)]
pub enum Listen {
    /// At this address.
    Address {
        /// The address.
        address: SocketAddr,
        /// Whether other processes of the same user may listen there as well. All of them must say so.
        reuse_port: bool,
    },
    /// On a socket that listens already and is not only ours, as one of systemd.
    Inherited(std::net::TcpListener),
}

/// A socket that listens.
pub(crate) struct Listener {
    tcp: TcpListener,
    /// Others hold it too: what it queues is theirs when we stop.
    inherited: bool,
}

impl Listener {
    /// Opens the listening socket, or takes over the one that is open.
    ///
    /// # Errors
    /// The operating system's, for example that the address is in use.
    pub fn open(listen: Listen) -> io::Result<Self> {
        match listen {
            Listen::Address { address, reuse_port } => {
                Ok(Self { tcp: socket(address, reuse_port)?.listen(BACKLOG)?, inherited: false })
            }
            Listen::Inherited(listener) => {
                listener.set_nonblocking(true)?;
                Ok(Self { tcp: TcpListener::from_std(listener)?, inherited: true })
            }
        }
    }

    /// Its address.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
    }

    /// Accepts a connection once there is a place for it. Until then clients wait in the kernel's queue.
    pub(super) async fn accept(&self, places: &Arc<Semaphore>) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        if places.available_permits() == 0 {
            tracing::warn!("clients wait to be connected: limits.connections is used up");
        }
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, _) = self.tcp.accept().await?;
        Ok((stream, place))
    }

    /// Closes the socket and hands over what the kernel has connected and nobody accepted, which it would reset. What is
    /// queued at an inherited one stays there for others.
    pub(super) fn close(self) -> Vec<TcpStream> {
        let Ok(listener) = self.tcp.into_std() else { return Vec::new() };
        if self.inherited {
            return Vec::new();
        }
        let mut rest = Vec::new();
        while let Ok((stream, _)) = listener.accept() {
            let accepted = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            rest.extend(accepted);
        }
        rest
    }

    /// From now on no new connection begins here, while those that are beginning may be completed: the first packet of
    /// a new one is ignored, so that the client sends it again (after a second), to whoever listens by then.
    ///
    /// Without this, what the kernel connects between the last accept and the close would be reset: several sockets on
    /// one port have a queue each, and that of a closed one is lost. False where that is not so, or not possible.
    #[cfg(target_os = "linux")]
    pub(super) fn turn_away(&self) -> bool {
        use socket2::{SockFilter, SockRef};
        /// Instructions of the classic packet filter (linux/bpf_common.h).
        const LOAD_BYTE: u16 = 0x30;
        const AND: u16 = 0x54;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        /// The byte of TCP's header with the flags, and two of them (RFC 9293, section 3.1).
        const FLAGS: u32 = 13;
        const SYN: u32 = 0x02;
        const ACK: u32 = 0x10;
        if self.inherited {
            return false;
        }
        let no_syn = [
            SockFilter::new(LOAD_BYTE, 0, 0, FLAGS),
            SockFilter::new(AND, 0, 0, SYN | ACK),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ];
        let attached = SockRef::from(&self.tcp).attach_filter(&no_syn);
        if let Err(error) = &attached {
            tracing::debug!("connections that begin while the socket is closed may be lost: {error}");
        }
        attached.is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn turn_away(&self) -> bool {
        false
    }
}

/// A socket that has its address, and does not listen yet.
///
/// # Errors
/// The operating system's, for example that the address is in use.
pub fn socket(address: SocketAddr, reuse_port: bool) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the process before it to be forgotten. On Windows the option
    // means something else: two servers on one port.
    socket.set_reuseaddr(!cfg!(windows))?;
    if reuse_port {
        share_port(&socket)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(unix)]
fn share_port(socket: &TcpSocket) -> io::Result<()> {
    socket.set_reuseport(true)
}

#[cfg(not(unix))]
fn share_port(_: &TcpSocket) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "http.reuse-port is not possible on this system"))
}

/// A failed accept concerns one client, or is a lack of file descriptors, which waiting may cure.
pub(super) async fn refuse(error: &io::Error) {
    const PAUSE: Duration = Duration::from_millis(100);
    match error.kind() {
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused => {}
        _ => {
            tracing::warn!("no connection can be accepted: {error}");
            tokio::time::sleep(PAUSE).await;
        }
    }
}
