use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use slight_services::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

/// A network between a client and the server that can cut the connection when a certain answer comes back.
pub struct Network {
    pub url: String,
    cut: Arc<Mutex<Option<Cut>>>,
    silent: Arc<AtomicBool>,
}

struct Cut {
    answer: &'static str,
    /// How many such answers come through before.
    passing: usize,
}

impl Network {
    pub async fn before(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let cut = Arc::<Mutex<Option<Cut>>>::default();
        let silent = Arc::<AtomicBool>::default();
        let (port, cuts, silence) = (server.port(), cut.clone(), silent.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, port, cuts.clone(), silence.clone()));
            }
        });
        Self { url, cut, silent }
    }

    /// The next answer with this in it is lost.
    pub async fn lose(&self, answer: &'static str) {
        self.lose_after(0, answer).await;
    }

    /// So many such answers come through, and the next one is lost.
    pub async fn lose_after(&self, passing: usize, answer: &'static str) {
        *self.cut.lock().await = Some(Cut { answer, passing });
    }

    /// From now on, or no longer, connections stay open and nothing that the server says comes through.
    pub fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// Whether the answer was lost by now.
    pub async fn has_lost(&self) -> bool {
        self.cut.lock().await.is_none()
    }
}

async fn carry(client: TcpStream, port: u16, cut: Arc<Mutex<Option<Cut>>>, silent: Arc<AtomicBool>) {
    let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let there = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
    let mut piece = vec![0; 1 << 20];
    while let Ok(length @ 1..) = from_server.read(&mut piece).await {
        if silent.load(Ordering::SeqCst) {
            continue;
        }
        if is_cut(&mut *cut.lock().await, &piece[..length]) || to_client.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    there.abort();
}

fn is_cut(cut: &mut Option<Cut>, piece: &[u8]) -> bool {
    let Some(Cut { answer, passing }) = cut else { return false };
    let found = String::from_utf8_lossy(piece).matches(*answer).count();
    if found <= *passing {
        *passing -= found;
        return false;
    }
    *cut = None;
    true
}
