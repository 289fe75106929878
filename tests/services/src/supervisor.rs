use std::{
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::{
    program::Program,
    wait::{DEADLINE, eventually},
};

/// A shell between this process and the server. It reads orders from a pipe, and when the pipe ends, because this
/// process closed it or is no more, it kills the server and removes its data. The shell alone keeps the server's process
/// id, and the server is its child until the end, so that no signal can reach a stranger.
///
/// `PR_SET_PDEATHSIG` would not do: it goes by the thread that started the server, and tests have threads of their own.
const SCRIPT: &str = r#"
data=$1
shift
"$@" </dev/null 2>&1 &
server=$!
exec >/dev/null 2>&1
while read -r order; do
  case $order in
    keep) data= ;;
    *) kill -s "$order" "$server" ;;
  esac
done
kill -s KILL "$server"
wait "$server"
if [ -n "$data" ]; then rm -rf -- "$data"; fi
"#;

/// A server that runs, or has ended by itself.
pub(crate) struct Supervised {
    shell: Child,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    text: Mutex<Vec<u8>>,
    /// The server and all that it started have closed their output: they are gone.
    ended: AtomicBool,
}

impl Supervised {
    pub(crate) fn start(program: &Program, arguments: &[String], data: &Path) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(SCRIPT).arg("supervisor").arg(data).arg(&program.path).args(arguments);
        if let Some(libraries) = &program.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        // In a group of its own: a Ctrl-C for the tests must not end the shell before the server.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().expect("there is a shell");
        let output = Arc::<Output>::default();
        if let Some(pipe) = shell.stdout.take() {
            let output = output.clone();
            thread::spawn(move || output.collect(pipe));
        }
        Self { shell, output }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.output.ended.load(Ordering::Acquire)
    }

    /// What the server wrote.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.output.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&mut self, signal: &str) {
        if let Some(orders) = &mut self.shell.stdin {
            // A shell that is gone has nothing to signal.
            let _ = orders.write_all(format!("{signal}\n").as_bytes());
        }
    }

    /// Sends a signal by its name, waits until the server has ended, and keeps its data.
    pub(crate) fn end(mut self, signal: &str) {
        if let Some(orders) = &mut self.shell.stdin {
            // A shell that is gone has nothing to signal.
            let _ = orders.write_all(format!("keep\n{signal}\n").as_bytes());
        }
        let ended = eventually(|| self.has_ended().then_some(()));
        assert!(ended.is_some(), "the server did not end within {DEADLINE:?} of SIG{signal}:\n{}", self.log());
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

impl Output {
    fn collect(&self, mut pipe: impl Read) {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            self.text.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
        }
        self.ended.store(true, Ordering::Release);
    }
}
