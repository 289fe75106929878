use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::PathBuf,
    time::Duration,
};

use crate::{
    kind::Kind,
    port::free_port,
    program::{self, Missing, Program},
    supervisor::Supervised,
    wait::{ANSWER, DEADLINE, eventually},
};

/// How often another port is tried, where somebody else was faster to take one that was free.
const PORTS: usize = 5;

/// Who does not answer for so long has been stopped.
const SILENCE: Duration = Duration::from_millis(300);

/// A server of this test's own. It ends with this value, and at the latest with the process; its data goes with it.
pub struct Server {
    kind: &'static Kind,
    program: Program,
    port: u16,
    data: PathBuf,
    more: Vec<String>,
    running: Option<Supervised>,
}

impl Server {
    /// Starts a server with more arguments than it needs, and waits until it answers.
    ///
    /// # Errors
    /// [`Missing`] when the program is not there.
    ///
    /// # Panics
    /// When it ends or does not answer by [`DEADLINE`].
    pub fn start(kind: &'static Kind, more: &[&str]) -> Result<Self, Missing> {
        let program = program::find(kind)?;
        let prefix = format!("slight-{}-", kind.name);
        // The supervisor removes it: nothing of this process is sure to run at its end.
        let data = tempfile::Builder::new().prefix(&prefix).tempdir().expect("there is room for data").keep();
        let more = more.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Self { kind, program, port: 0, data, more, running: None };
        for attempt in 1..=PORTS {
            server.port = free_port();
            match server.run() {
                Ok(()) => break,
                Err(log) if attempt == PORTS || !log.to_lowercase().contains("address already in use") => {
                    panic!("{} did not start:\n{log}", kind.program)
                }
                Err(_) => server.forget(),
            }
        }
        Ok(server)
    }

    /// The port on loopback, the same for as long as this value lives.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.kind.scheme, self.port)
    }

    /// Where its data is, and where it may find files for it.
    pub fn data(&self) -> &std::path::Path {
        &self.data
    }

    /// Asks it to end (SIGTERM) and waits until it has. Its data stays.
    ///
    /// # Panics
    /// When it has not ended by [`DEADLINE`].
    pub fn stop(&mut self) {
        self.end("TERM");
    }

    /// Ends it at once (SIGKILL). Its data stays, as far as it is on the disk.
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Starts it again with the same port, data and arguments, after a [`stop`](Self::stop) or a [`kill`](Self::kill), and
    /// waits until it answers.
    ///
    /// # Panics
    /// When it does not answer by [`DEADLINE`].
    pub fn restart(&mut self) {
        if let Err(log) = self.run() {
            panic!("{} did not start again:\n{log}", self.kind.program);
        }
    }

    /// Stops it in the middle (SIGSTOP), and waits until it has: it takes connections and calls, and answers none.
    ///
    /// # Panics
    /// When it still answers by [`DEADLINE`].
    pub fn pause(&mut self) {
        self.signal("STOP");
        let silent = eventually(|| (!self.answers_within(SILENCE)).then_some(()));
        assert!(silent.is_some(), "{} still answers {DEADLINE:?} after SIGSTOP", self.kind.program);
    }

    /// Lets it go on after a [`pause`](Self::pause).
    pub fn resume(&mut self) {
        self.signal("CONT");
    }

    fn signal(&mut self, signal: &str) {
        if let Some(running) = &mut self.running {
            running.signal(signal);
        }
    }

    fn end(&mut self, signal: &str) {
        if let Some(running) = self.running.take() {
            running.end(signal);
        }
    }

    /// Starts it and waits for an answer; without one, its log.
    fn run(&mut self) -> Result<(), String> {
        let mut arguments = (self.kind.arguments)(self.port, &self.data);
        arguments.extend(self.more.iter().cloned());
        let running = Supervised::start(&self.program, &arguments, &self.data);
        let answered = eventually(|| match running.has_ended() {
            true => Some(false),
            false => (self.answers() && running.log().contains(self.kind.all_open)).then_some(true),
        });
        match answered {
            Some(true) => {
                self.running = Some(running);
                Ok(())
            }
            Some(false) => {
                let log = running.log();
                running.end("KILL");
                Err(log)
            }
            None => Err(format!("no answer within {DEADLINE:?}\n{}", running.log())),
        }
    }

    /// Empties the folder for data: the ports that are kept there may be the ones that were taken.
    fn forget(&self) {
        // Where it ran on without an answer, the supervisor has removed it already.
        let _ = fs::remove_dir_all(&self.data);
        fs::create_dir_all(&self.data).expect("there is room for data");
    }

    fn answers(&self) -> bool {
        self.answers_within(ANSWER)
    }

    fn answers_within(&self, time: Duration) -> bool {
        let connect = || {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(time))?;
            (self.kind.answers)(stream)
        };
        connect().unwrap_or(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.running.take().is_none() {
            let _ = fs::remove_dir_all(&self.data);
        }
    }
}
