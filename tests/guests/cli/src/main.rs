//! A command on `wasi:cli` 0.2; its sub-commands are in `tests/guests/README.md`.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, io, thread};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> io::Result<ExitCode> {
    match arguments {
        [] => println!("hello"),
        ["args", rest @ ..] => rest.iter().for_each(|argument| println!("{argument}")),
        ["env"] => env::vars().for_each(|(name, value)| println!("{name}={value}")),
        ["cat"] => drop(io::copy(&mut io::stdin(), &mut io::stdout())?),
        ["stderr", text] => eprintln!("{text}"),
        ["partial", text] => {
            print!("{text}");
            io::stdout().flush()?;
        }
        // The standard library's exit codes are only ever 0 and 1 on this target.
        ["exit", code] => wasip2::cli::exit::exit_with_code(code.parse().unwrap_or(u8::MAX)),
        ["read", path] => io::stdout().write_all(&fs::read(path)?)?,
        ["write", path, text] => fs::write(path, text)?,
        ["remove", path] => fs::remove_file(path)?,
        ["list", path] => list(path)?,
        ["sleep", milliseconds] => thread::sleep(Duration::from_millis(milliseconds.parse().unwrap_or(0))),
        ["clock"] => clock(),
        ["trap"] => panic!("asked to trap"),
        ["loop"] => loop {
            std::hint::black_box(());
        },
        ["eat"] => eat(),
        _ => {
            eprintln!("unknown arguments: {arguments:?}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(path: &str) -> io::Result<()> {
    let names: io::Result<Vec<_>> = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names?;
    names.sort();
    names.iter().for_each(|name| println!("{}", name.to_string_lossy()));
    Ok(())
}

/// Prints the seconds since the epoch, and whether the monotonic clock moves forward.
fn clock() {
    let start = Instant::now();
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
    println!("{seconds} {}", Instant::now() >= start);
}

/// Allocates until there is no more memory.
fn eat() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1u8; 1 << 20]);
    }
}
