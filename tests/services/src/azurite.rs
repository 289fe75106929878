use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    path::Path,
    sync::{Mutex, PoisonError},
};

use crate::{kind::Kind, port::free_port, program::Missing, server::Server};

/// The account that Azurite has, known to everybody.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// In the data: the port of the queues, the same after a restart.
const QUEUE_PORT: &str = "queue-port";

/// Azurite, from npm's package `azurite`. Its URL is that of the blobs.
pub static AZURITE: Kind = Kind {
    name: "azurite",
    program: "azurite",
    url_variable: "SLIGHT_TEST_AZURITE_URL",
    scheme: "http",
    arguments,
    answers,
    // The tables, which nobody uses, are the last.
    all_open: "Azurite Table service is successfully listening",
};

fn arguments(port: u16, data: &Path) -> Vec<String> {
    let file = data.join(QUEUE_PORT);
    let queue = fs::read_to_string(&file).unwrap_or_else(|_| free_port().to_string());
    // Where this fails, the port is not found later, which is said there.
    let _ = fs::write(&file, &queue);
    let fixed = [
        "--skipApiVersionCheck",
        "--disableTelemetry",
        "--blobHost",
        "127.0.0.1",
        "--queueHost",
        "127.0.0.1",
        "--tableHost",
        "127.0.0.1",
        "--tablePort",
        "0",
    ];
    let chosen = [
        "--blobPort".into(),
        port.to_string(),
        "--queuePort".into(),
        queue,
        "--location".into(),
        data.display().to_string(),
    ];
    fixed.map(str::to_owned).into_iter().chain(chosen).collect()
}

/// Any answer will do: without a key, it is a refusal.
fn answers(stream: TcpStream) -> io::Result<bool> {
    (&stream).write_all(b"GET /devstoreaccount1?comp=list HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line.starts_with("HTTP/1.1 "))
}

/// An Azurite with its blobs and queues, each on a port of its own.
pub struct Azurite {
    server: Server,
    queue_port: u16,
}

impl Azurite {
    /// Starts one with more arguments than it needs, and waits until its blobs and queues answer.
    ///
    /// # Errors
    /// [`Missing`] when the program is not there.
    ///
    /// # Panics
    /// When it does not answer by [`DEADLINE`](crate::DEADLINE).
    pub fn start(more: &[&str]) -> Result<Self, Missing> {
        let server = Server::start(&AZURITE, more)?;
        let queue_port = fs::read_to_string(server.data().join(QUEUE_PORT)).ok().and_then(|port| port.parse().ok());
        Ok(Self { server, queue_port: queue_port.expect("the port of the queues is kept") })
    }

    /// The port of its blobs.
    pub fn blob_port(&self) -> u16 {
        self.server.port()
    }

    /// The port of its queues.
    pub fn queue_port(&self) -> u16 {
        self.queue_port
    }

    /// What clients need, in the form that Azure's portal and tools use.
    pub fn connection_string(&self) -> String {
        let endpoint = |service, port| format!("{service}Endpoint=http://127.0.0.1:{port}/{ACCOUNT};");
        let (blob, queue) = (endpoint("Blob", self.blob_port()), endpoint("Queue", self.queue_port));
        format!("DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};{blob}{queue}")
    }

    /// Asks it to end, and waits until it has. Its data stays.
    pub fn stop(&mut self) {
        self.server.stop();
    }

    /// Stops it in the middle: it takes connections and calls, and answers none.
    pub fn pause(&mut self) {
        self.server.pause();
    }

    /// Lets it go on after a [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.server.resume();
    }

    /// Starts it again with the same ports and data, and waits until it answers.
    pub fn restart(&mut self) {
        self.server.restart();
    }
}

/// For all tests of the process. Nothing drops it: the supervisor ends it with the process.
static SHARED: Mutex<Option<Azurite>> = Mutex::new(None);

/// The connection string of an Azurite that all tests of the process share: the user's own, if the kind's variable holds
/// one.
///
/// # Errors
/// [`Missing`] when there is none and the program is not there.
pub fn shared_azurite() -> Result<String, Missing> {
    if let Ok(given) = env::var(AZURITE.url_variable) {
        return Ok(given);
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Azurite::start(&[])?);
    }
    Ok(shared.as_ref().map(Azurite::connection_string).unwrap_or_default())
}
