use std::{
    ffi::OsString,
    fs,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Mutex,
    thread,
};

use tempfile::TempDir;

use crate::{
    built::{binary, cache, guest},
    output::Output,
    process::{Ended, Running},
};

/// A call of `slight` that is being put together. It has a folder of its own, which goes with it.
pub struct Invocation {
    dir: TempDir,
    options: Vec<OsString>,
    last: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    stdin_stays_open: bool,
    stdout: Stdout,
    serves: bool,
}

/// Where standard output leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stdout {
    Collected,
    Closed,
    Full,
}

/// `slight run` of a guest, by its name; HTTP on a free port.
pub fn run(name: &str) -> Invocation {
    slight(["run"]).arg(guest(name)).serving()
}

/// `slight check` of a guest, by its name.
pub fn check(name: &str) -> Invocation {
    slight(["check"]).arg(guest(name))
}

/// `slight` with any arguments.
pub fn slight<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Invocation {
    Invocation {
        dir: TempDir::new().expect("there is room for temporary files"),
        options: arguments.into_iter().map(Into::into).collect(),
        last: Vec::new(),
        env: Vec::new(),
        stdin: None,
        stdin_stays_open: false,
        stdout: Stdout::Collected,
        serves: false,
    }
}

impl Invocation {
    /// The folder of this invocation, which is also where it runs.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Writes a file into the folder.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("the folder can be made");
        fs::write(path, content).expect("the file can be written");
        self
    }

    /// One more argument.
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.options.push(argument.into());
        self
    }

    /// Arguments for the guest.
    pub fn guest_args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.last.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// The configuration.
    pub fn toml(self, text: &str) -> Self {
        let path = self.path("slight.toml");
        self.file("slight.toml", text).arg("-c").arg(path)
    }

    /// An environment variable of the process, not of the guest.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// What the process reads. Without, nothing.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// What the process reads first; more may come, so that it waits.
    pub fn stdin_without_end(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin_stays_open = true;
        self.stdin(text)
    }

    /// Nobody reads what it writes: as after `| head`.
    pub fn stdout_closed(mut self) -> Self {
        self.stdout = Stdout::Closed;
        self
    }

    /// There is no room for what it writes: as on a full disk.
    pub fn stdout_full(mut self) -> Self {
        self.stdout = Stdout::Full;
        self
    }

    /// Says that it is to serve HTTP, on a free port: for a file in the folder, where [`run`] takes a guest.
    pub fn serving(mut self) -> Self {
        self.serves = true;
        self.arg("--listen").arg("127.0.0.1:0")
    }

    /// Runs it to its end, which must be a refusal: exit code 1, nothing on the standard output, and one paragraph on
    /// the standard error, which is returned.
    pub async fn refusal(mut self) -> String {
        // Without what is only told, such as that a component takes long to compile; unless the test says otherwise.
        self.env.insert(0, ("SLIGHT_LOG".into(), "warn".into()));
        let ended = self.end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.stdout, "", "{ended:?}");
        let text = ended.stderr.trim_end();
        assert!(text.starts_with("error: ") && !text.contains("\n\n"), "not one paragraph: {text}");
        text.to_owned()
    }

    /// Starts it and waits until it serves HTTP.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(self) -> Running {
        assert!(self.serves, "only `slight run` serves");
        let mut running = self.spawn();
        let line = running.wait_for_log("serving HTTP on ").await;
        running.address = Some(address(&line));
        running
    }

    /// Runs it to its end.
    pub async fn end(self) -> Ended {
        self.spawn().end().await
    }

    /// Starts it and waits for nothing.
    pub fn spawn(self) -> Running {
        let mut command = Command::new(binary());
        command.args(&self.options);
        if !self.last.is_empty() {
            command.arg("--").args(&self.last);
        }
        command.current_dir(self.dir()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir()).env("XDG_CACHE_HOME", cache());
        command.envs(self.env);
        let input = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        let output = match self.stdout {
            Stdout::Collected => Stdio::piped(),
            Stdout::Closed => closed_pipe(),
            Stdout::Full => fs::File::create("/dev/full").expect("the system has a full device").into(),
        };
        let mut child =
            command.stdin(input).stdout(output).stderr(Stdio::piped()).spawn().expect("slight can be started");
        if let (Some(text), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            let stays_open = self.stdin_stays_open;
            // In the background, since the pipe may be full. A process that ended does not read.
            thread::spawn(move || {
                let _ = pipe.write_all(&text);
                if stays_open {
                    std::mem::forget(pipe);
                }
            });
        }
        let stdout = match child.stdout.take() {
            Some(pipe) => Output::collect(pipe),
            None => Output::collect(io::empty()),
        };
        let stderr = Output::collect(child.stderr.take().expect("it is a pipe"));
        Running { child: Mutex::new(child), stdout, stderr, address: None, dir: self.dir }
    }
}

fn closed_pipe() -> Stdio {
    let (_, writer) = io::pipe().expect("there are pipes");
    writer.into()
}

/// From a line with `serving HTTP on http://127.0.0.1:40123/`, whatever follows.
fn address(line: &str) -> SocketAddr {
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    address.parse().unwrap_or_else(|error| panic!("no address in {line:?}: {error}"))
}
