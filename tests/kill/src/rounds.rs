use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, SystemTime},
};

use tokio::runtime::Runtime;

use crate::{
    KillTest, Outcome, check::check, model::Model, protocol::Line, protocol::Orders, random::Random, scratch::temporary,
};

const ROUNDS: u64 = 50;

/// How long a writer may take to open its provider.
const START: Duration = Duration::from_secs(30);

/// A killed process, that no longer runs even when a check fails.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        // It may have ended by itself.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

pub(crate) fn run(test: &KillTest) -> Outcome {
    let rounds = setting("SLIGHT_KILL_ROUNDS")?.unwrap_or(ROUNDS);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seed = setting("SLIGHT_KILL_SEED")?.unwrap_or(now.as_nanos() as u64);
    println!("SLIGHT_KILL_SEED={seed} SLIGHT_KILL_ROUNDS={rounds}");
    let scratch = temporary(Path::new(test.directory)).map_err(|error| error.to_string())?;
    let mut random = Random::new(seed);
    let mut model = Model::default();
    for round in 1..=rounds {
        let orders = Orders { directory: scratch.path().to_owned(), round, seed: random.next() };
        kill_one(test, &orders, &mut random, &mut model)
            .and_then(|()| Runtime::new().map_err(|error| error.to_string()))
            // The runtime ends before the next round, and all use of the provider with it.
            .and_then(|runtime| {
                runtime.block_on(async {
                    let provider = test.provider(orders.directory.clone()).await?;
                    check(&*provider, test.capabilities, &mut model).await
                })
            })
            .map_err(|failure| format!("SLIGHT_KILL_SEED={seed}, round {round}: {failure}"))?;
    }
    println!("{rounds} kills, {} acknowledged writes, none lost", model.acknowledged);
    if model.acknowledged < rounds {
        return Err(format!("expected writes between the kills, found {} in all", model.acknowledged));
    }
    Ok(())
}

/// Starts a writer, kills it at some moment, and lets the model know what it told.
fn kill_one(test: &KillTest, orders: &Orders, random: &mut Random, model: &mut Model) -> Outcome {
    let mut command = Command::new(env::current_exe().map_err(|error| error.to_string())?);
    command.args([test.test, "--exact", "--nocapture"]).envs(orders.environment());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let mut writer = Writer(child);
    let stdout = writer.0.stdout.take().ok_or("no stdout")?;
    let (ready, is_ready) = mpsc::channel();
    let reader = thread::spawn(move || read(stdout, &ready));

    // Some are killed while they start: the file is being repaired then.
    if random.below(6) > 0 {
        match is_ready.recv_timeout(START) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return Err(format!("the writer was not ready within {START:?}")),
            // It has ended; what it told says why.
            Err(RecvTimeoutError::Disconnected) => {}
        }
        thread::sleep(Duration::from_millis(5 + random.below(250)));
    } else {
        thread::sleep(Duration::from_millis(random.below(60)));
    }
    // Until it is waited for, the number of the process is its own.
    let ended = writer.0.try_wait().map_err(|error| error.to_string())?;
    drop(writer);
    let lines = reader.join().map_err(|_| "the reader panicked")??;
    lines.into_iter().try_for_each(|line| model.learn(line))?;
    match ended {
        Some(status) => Err(format!("the writer ended by itself: {status}")),
        None => Ok(()),
    }
}

/// All whole lines, up to the end of the process.
fn read(stdout: ChildStdout, ready: &mpsc::Sender<()>) -> Outcome<Vec<Line>> {
    let (mut lines, mut stdout, mut text) = (Vec::new(), BufReader::new(stdout), String::new());
    loop {
        text.clear();
        stdout.read_line(&mut text).map_err(|error| error.to_string())?;
        let Some(line) = text.strip_suffix('\n') else { return Ok(lines) };
        if let Some(line) = Line::read(line) {
            let line = line?;
            if line == Line::Ready {
                _ = ready.send(());
            }
            lines.push(line);
        }
    }
}

fn setting(name: &str) -> Outcome<Option<u64>> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| format!("{name}={text}: {error}"))
}
