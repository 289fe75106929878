//! `cargo run -p slight-services redis` starts a server, prints its URL, and keeps it until the standard input ends or
//! this process does.

use std::{env, io, process::ExitCode};

use slight_services::{Kind, NATS, REDIS, Server, VALKEY};

fn main() -> ExitCode {
    let kinds: [&'static Kind; 3] = [&REDIS, &VALKEY, &NATS];
    let arguments: Vec<String> = env::args().skip(1).collect();
    let chosen = arguments.split_first().and_then(|(name, more)| {
        let kind = kinds.into_iter().find(|kind| kind.name == name)?;
        Some((kind, more.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let Some((kind, more)) = chosen else {
        eprintln!("usage: slight-services {} [ARGUMENT OF THE SERVER]…", kinds.map(|kind| kind.name).join("|"));
        return ExitCode::from(2);
    };
    match Server::start(kind, &more) {
        Ok(server) => {
            println!("{}", server.url());
            // An error is as good as an end.
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            ExitCode::SUCCESS
        }
        Err(missing) => {
            eprintln!("error: {missing}");
            ExitCode::FAILURE
        }
    }
}
