//! One copy replaces another on the same port, and no request is lost.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use slight_e2e::{Running, binary, cache, eventually, guest, slight, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// Clients that send one request after the other, and count those that have no response.
struct Load {
    clients: JoinSet<()>,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    end: AtomicBool,
    answered: AtomicUsize,
    lost: Mutex<Vec<String>>,
}

impl Load {
    /// Half of them keep their connection as long as they may.
    fn start(address: SocketAddr, clients: usize) -> Self {
        let mut load = Self { clients: JoinSet::new(), told: Arc::default() };
        for number in 0..clients {
            let told = load.told.clone();
            load.clients.spawn(async move {
                let mut connection = None;
                while !told.end.load(Ordering::Relaxed) {
                    match request(address, connection.take(), number % 2 == 0).await {
                        Ok(kept) => {
                            connection = kept;
                            told.answered.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => told.lost.lock().unwrap().push(error),
                    }
                }
            });
        }
        load
    }

    fn answered(&self) -> usize {
        self.told.answered.load(Ordering::Relaxed)
    }

    /// How many were answered, and what became of the others.
    async fn end(self) -> (usize, Vec<String>) {
        self.told.end.store(true, Ordering::Relaxed);
        within("the end of the clients", self.clients.join_all()).await;
        let lost = std::mem::take(&mut *self.told.lost.lock().unwrap());
        (self.told.answered.load(Ordering::Relaxed), lost)
    }
}

/// Sends one request, and gives back the connection if it may be used for another.
async fn request(address: SocketAddr, kept: Option<TcpStream>, keep: bool) -> Result<Option<TcpStream>, String> {
    let was_kept = kept.is_some();
    let failed = |what: &str, error: std::io::Error| format!("{what} (kept: {was_kept}): {error}");
    let mut stream = match kept {
        Some(stream) => stream,
        None => TcpStream::connect(address).await.map_err(|error| failed("connect", error))?,
    };
    let connection = if keep { "keep-alive" } else { "close" };
    let sent = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\n\r\n");
    stream.write_all(sent.as_bytes()).await.map_err(|error| failed("send", error))?;
    let mut received = String::new();
    loop {
        let mut piece = [0; 1024];
        let length = stream.read(&mut piece).await.map_err(|error| failed("receive", error))?;
        if length == 0 {
            return Err(format!("closed (kept: {was_kept}) after {received:?}"));
        }
        received.push_str(&String::from_utf8_lossy(&piece[..length]));
        if let Some((head, body)) = received.split_once("\r\n\r\n")
            && (body == "hello" || body.ends_with("0\r\n\r\n"))
        {
            if !head.starts_with("HTTP/1.1 200 ") {
                return Err(head.to_owned());
            }
            return Ok((keep && !head.contains("connection: close")).then_some(stream));
        }
    }
}

async fn start(address: &str, toml: &str) -> Running {
    let copy = slight(["run"]).arg(guest("hello-http")).arg("--listen").arg(address).toml(toml).spawn();
    copy.wait_for_log("serving HTTP on ").await;
    copy
}

/// An address that is free now.
fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// `SLIGHT_TEST_ROLL_OVERS=20 cargo test --workspace --test e2e roll_over -- --nocapture` has more of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_is_lost_when_one_copy_replaces_another() {
    const TOML: &str = "http = { reuse-port = true, shutdown-delay = \"300ms\" }";
    let times: usize = std::env::var("SLIGHT_TEST_ROLL_OVERS").map_or(3, |times| times.parse().unwrap());
    let address = free();
    let mut copy = start(&address.to_string(), TOML).await;
    let load = Load::start(address, 16);
    for _ in 0..times {
        let next = start(&address.to_string(), TOML).await;
        copy.signal("TERM");
        let ended = copy.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        copy = next;
    }
    // What comes after the last one counts too.
    let before = load.answered();
    eventually("requests after the last one", async || (load.answered() > before + 100).then_some(())).await;
    let (answered, lost) = load.end().await;
    println!("{times} roll-overs: {answered} requests answered, {} lost", lost.len());
    assert_eq!(lost, Vec::<String>::new(), "of {answered}");
}

#[tokio::test]
async fn a_second_copy_by_mistake_is_refused() {
    let address = free().to_string();
    let _copy = start(&address, "http = { reuse-port = true }").await;
    let second = slight(["run"]).arg(guest("hello-http")).arg("--listen").arg(&address);
    let refusal = second.refusal().await;
    assert!(refusal.contains(&format!("cannot listen on {address}")) && refusal.contains("reuse-port"), "{refusal}");
}

/// `slight` started by a shell, which prepares what a test cannot.
struct ByShell(Child);

impl ByShell {
    fn start(script: &str, stdin: Stdio, arguments: &[&str]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(binary()).arg("run").arg(guest("hello-http")).args(arguments);
        command.env("XDG_CACHE_HOME", cache()).stdin(stdin).stderr(Stdio::piped());
        let mut shell = Self(command.spawn().unwrap());
        let lines = BufReader::new(shell.0.stderr.take().unwrap()).lines();
        let mut lines = lines.map_while(Result::ok);
        assert!(lines.any(|line| line.contains("serving HTTP on ")), "it does not serve");
        // Nobody waits for a log that nobody reads; still, it is read.
        std::thread::spawn(move || lines.for_each(drop));
        shell
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap().success());
    }

    async fn end(mut self) -> Option<i32> {
        eventually("the end of the process", async || self.0.try_wait().unwrap()).await.code()
    }
}

impl Drop for ByShell {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_inherit_one_socket_lose_nothing() {
    const SCRIPT: &str = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let start = || {
        let socket: std::os::fd::OwnedFd = listener.try_clone().unwrap().into();
        ByShell::start(SCRIPT, socket.into(), &[])
    };
    let mut copy = start();
    let load = Load::start(address, 8);
    for _ in 0..2 {
        // One after the other: meanwhile the socket keeps what comes.
        copy.signal("TERM");
        assert_eq!(copy.end().await, Some(0));
        copy = start();
        let before = load.answered();
        eventually("requests to the next copy", async || (load.answered() > before + 10).then_some(())).await;
    }
    let (answered, lost) = load.end().await;
    assert_eq!(lost, Vec::<String>::new(), "of {answered}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_to_outlive_its_terminal_does() {
    let address = free().to_string();
    let app = ByShell::start("trap '' HUP; exec \"$0\" \"$@\"", Stdio::null(), &["--listen", &address]);
    app.signal("HUP");
    app.signal("INT");
    // Had the first been heard, the second would have ended it at once.
    assert_eq!(app.end().await, Some(0));
}
