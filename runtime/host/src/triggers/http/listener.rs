use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Connections that the kernel holds until they are accepted.
const BACKLOG: u32 = 1024;

/// Opens the listening socket.
///
/// # Errors
/// The operating system's, for example that the address is in use.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the process before it to be forgotten. On Windows the option
    // means something else: two servers on one port.
    socket.set_reuseaddr(!cfg!(windows))?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts a connection once there is a place for it. Until then clients wait in the kernel's queue.
pub(super) async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    if places.available_permits() == 0 {
        tracing::warn!("clients wait to be connected: limits.connections is used up");
    }
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
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
