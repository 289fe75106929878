//! `cargo run -p slight-services redis` starts a server, prints its URL, or for Azurite its connection string, and keeps it until
//! the standard input ends or this process does.

use std::{env, io, process::ExitCode};

use slight_services::{AZURITE, Azurite, Kind, Missing, NATS, REDIS, SEAWEEDFS, Server, VALKEY};

fn main() -> ExitCode {
    let kinds: [&'static Kind; 5] = [&REDIS, &VALKEY, &NATS, &SEAWEEDFS, &AZURITE];
    let arguments: Vec<String> = env::args().skip(1).collect();
    let chosen = arguments.split_first().and_then(|(name, more)| {
        let kind = kinds.into_iter().find(|kind| kind.name == name)?;
        Some((kind, more.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let Some((kind, more)) = chosen else {
        eprintln!("usage: slight-services {} [ARGUMENT OF THE SERVER]…", kinds.map(|kind| kind.name).join("|"));
        return ExitCode::from(2);
    };
    match keep(kind, &more) {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            eprintln!("error: {missing}");
            ExitCode::FAILURE
        }
    }
}

fn keep(kind: &'static Kind, more: &[&str]) -> Result<(), Missing> {
    if kind.name == AZURITE.name {
        let azurite = Azurite::start(more)?;
        wait(&azurite.connection_string());
    } else {
        let server = Server::start(kind, more)?;
        wait(&server.url());
    }
    Ok(())
}

fn wait(url: &str) {
    println!("{url}");
    // An error is as good as an end.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
}
