use std::{
    fs,
    net::SocketAddr,
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use http::Method;
use tempfile::TempDir;

use crate::{
    built::root,
    client::{Answer, Connection, empty, full},
    output::Output,
    wait::eventually,
};

/// A `slight` that runs. It is killed when this goes out of scope.
pub struct Running {
    pub(crate) child: Mutex<Child>,
    pub(crate) stdout: Arc<Output>,
    pub(crate) stderr: Arc<Output>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) dir: TempDir,
}

/// How a `slight` ended, and what it had said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What the guest, or `slight check`, wrote.
    pub stdout: String,
    /// The log and the errors.
    pub stderr: String,
}

impl Running {
    /// Where it serves HTTP.
    pub fn address(&self) -> SocketAddr {
        self.address.expect("this process was not started to serve")
    }

    /// The folder of this test.
    pub fn dir(&self) -> &std::path::Path {
        self.dir.path()
    }

    /// The whole of an address on this server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// A connection of its own, HTTP/1.1.
    pub async fn connect(&self) -> Connection {
        Connection::http1(self.address()).await
    }

    /// `GET`, over a connection of its own.
    pub async fn get(&self, path: &str) -> Answer {
        self.connect().await.fetch(Method::GET, path, empty()).await
    }

    /// `POST` with this body.
    pub async fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
        self.connect().await.fetch(Method::POST, path, full(body)).await
    }

    /// `PUT` with this body.
    pub async fn put(&self, path: &str, body: impl Into<bytes::Bytes>) -> Answer {
        self.connect().await.fetch(Method::PUT, path, full(body)).await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.connect().await.fetch(Method::DELETE, path, empty()).await
    }

    /// The log until now.
    pub fn log(&self) -> String {
        self.stderr.text()
    }

    /// What the guest wrote to its standard output until now.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits for a line of the log that has this in it.
    pub async fn wait_for_log(&self, part: &str) -> String {
        let line = self.stderr.line_with(part).await;
        line.unwrap_or_else(|| panic!("the log ended without {part:?}:\n{}", self.log()))
    }

    /// Waits for a line on the standard output that has this in it.
    pub async fn wait_for_stdout(&self, part: &str) -> String {
        let line = self.stdout.line_with(part).await;
        line.unwrap_or_else(|| panic!("the output ended without {part:?}:\n{}", self.stdout()))
    }

    /// Sends a signal by its name, as in `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child().id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("there is a program `kill`");
        assert!(sent.success(), "SIG{name} could not be sent");
    }

    /// The most memory that the process has had in use, in bytes. Linux counts on each processor, so a later answer may
    /// be a little less.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that the process has now, files that it maps aside, in bytes.
    #[cfg(target_os = "linux")]
    pub fn memory(&self) -> u64 {
        self.status("RssAnon:")
    }

    #[cfg(target_os = "linux")]
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child().id())).expect("the process lives");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("it is a number of kB");
        kibibytes * 1024
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        self.exited().is_none()
    }

    /// Asks it to end, as Ctrl-C does, so that nothing is delayed, and waits until it has.
    pub async fn stop(self) -> Ended {
        self.signal("INT");
        self.end().await
    }

    /// Waits until it ends by itself.
    pub async fn end(self) -> Ended {
        let status = eventually("the end of the process", async || self.exited()).await;
        self.stdout.end().await;
        self.stderr.end().await;
        Ended { code: status.code(), stdout: self.stdout.text(), stderr: self.stderr.text() }
    }

    fn exited(&self) -> Option<ExitStatus> {
        self.child().try_wait().expect("a child can be waited for")
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        {
            let mut child = self.child();
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = self.log();
        if thread::panicking() {
            eprintln!("---- the log of slight ----\n{log}---- its output ----\n{}", self.stdout());
            return;
        }
        let panicked = log.lines().any(is_panic_of_the_host);
        let backtrace = log.to_lowercase().contains("stack backtrace:");
        assert!(!panicked && !backtrace, "slight must never panic or show a backtrace, but it did:\n{log}");
    }
}

/// Guests may panic, and say so on their standard error, which is also that of the process. They name a file by its
/// path in their workspace: `tests/guests`, or the folder of an example.
fn is_panic_of_the_host(line: &str) -> bool {
    let Some((_, place)) = line.split_once("panicked at ") else { return false };
    let guest = place.split('/').next().unwrap_or_default();
    let known = guest == "src" || (!guest.is_empty() && root().join("tests/guests").join(guest).is_dir());
    !known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_host_is_told_from_one_of_a_guest() {
        assert!(is_panic_of_the_host("thread 'tokio-rt-worker' (42) panicked at runtime/host/src/host.rs:1:2:"));
        assert!(is_panic_of_the_host("thread 'main' (42) panicked at /home/me/.cargo/x.rs:1:2:"));
        assert!(!is_panic_of_the_host("thread '<unnamed>' (1) panicked at misbehave/src/lib.rs:38:21:"));
        assert!(!is_panic_of_the_host("thread '<unnamed>' (1) panicked at src/lib.rs:24:1:"));
        assert!(!is_panic_of_the_host("nothing happened"));
    }
}
