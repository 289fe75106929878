//! What a guest can do to its host, by path; the paths are in `tests/guests/README.md`.

mod outbound;

use guest_support::wasip2::exports::http::incoming_handler::Guest;
use guest_support::wasip2::http::types::{IncomingRequest, ResponseOutparam};
use guest_support::{Answer, Digest, Request, fill, wasip2};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;
use wasi::keyvalue::store;

wit_bindgen::generate!({
    path: "../../../wit/keyvalue-0.2.0-draft2",
    world: "wasi:keyvalue/imports",
    generate_all,
});

struct Misbehave;

impl Guest for Misbehave {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let request = Request::new(request);
        if request.segments() == ["noresponse"] {
            drop(out);
            return;
        }
        answer(request).send(out);
    }
}

wasip2::http::proxy::export!(Misbehave with_types_in wasip2);

fn answer(request: Request) -> Answer {
    match request.segments().as_slice() {
        ["ok"] => Answer::text("ok"),
        ["trap"] => panic!("asked to trap"),
        ["trap-midway"] => Answer::stream(|out| {
            out.write(b"the first part")?;
            panic!("asked to trap")
        }),
        ["loop"] => loop {
            std::hint::black_box(());
        },
        ["sleep"] => {
            sleep(milliseconds(&request));
            Answer::text("ok")
        }
        ["eat"] => eat(request.number("mib", u64::MAX)),
        ["handles"] => handles(request.number("count", 10_000)),
        ["big"] => big(request.number("bytes", 1 << 20)),
        ["slow"] => slow(request.number("chunks", 3), milliseconds(&request)),
        ["echo"] => echo(request),
        ["digest"] => digest(&request),
        ["request"] => describe(&request),
        ["count"] => count(),
        ["stdout"] => {
            println!("{}", request.query("text").unwrap_or_default());
            Answer::text("ok")
        }
        ["stderr"] => {
            eprintln!("{}", request.query("text").unwrap_or_default());
            Answer::text("ok")
        }
        ["env"] => Answer::json(&Value::Object(std::env::vars().map(|(name, value)| (name, value.into())).collect())),
        ["read"] => Answer::of(std::fs::read_to_string(request.query("path").unwrap_or_default())),
        ["outbound"] => outbound::get(request.query("url").unwrap_or_default()),
        ["send"] => outbound::send_as_told(&request),
        ["status", code] => Answer::text("as asked").status(code.parse().unwrap_or(200)),
        _ => Answer::not_found("no such path"),
    }
}

fn milliseconds(request: &Request) -> Duration {
    Duration::from_millis(request.number("ms", 1000))
}

/// Takes and touches so many MiB, or until there are no more.
fn eat(mebibytes: u64) -> Answer {
    let mut eaten = Vec::new();
    for _ in 0..mebibytes {
        eaten.push(vec![1u8; 1 << 20]);
    }
    Answer::text(std::hint::black_box(eaten).len())
}

/// Opens so many handles and keeps them.
fn handles(count: usize) -> Answer {
    let mut open = Vec::new();
    while open.len() < count {
        match store::open("default") {
            Ok(bucket) => open.push(bucket),
            Err(error) => return Answer::error(format!("{error:?} after {}", open.len())),
        }
    }
    Answer::text(open.len())
}

fn big(length: u64) -> Answer {
    Answer::stream(move |out| {
        let (mut buffer, mut offset) = (vec![0; 64 * 1024], 0);
        while offset < length {
            let chunk = (buffer.len() as u64).min(length - offset) as usize;
            fill(&mut buffer[..chunk], offset);
            out.write(&buffer[..chunk])?;
            offset += chunk as u64;
        }
        Ok(())
    })
}

/// Numbers, one a line, with a pause after each.
fn slow(chunks: u32, pause: Duration) -> Answer {
    Answer::stream(move |out| {
        for number in 1..=chunks {
            out.write(format!("{number}\n").as_bytes())?;
            sleep(pause);
        }
        Ok(())
    })
}

/// The request's body, chunk by chunk as it arrives.
fn echo(request: Request) -> Answer {
    Answer::stream(move |out| request.read_body(|chunk| out.write(chunk)))
}

fn digest(request: &Request) -> Answer {
    let mut digest = Digest::default();
    let read = request.read_body(|chunk| {
        digest.update(chunk);
        Ok(())
    });
    match read {
        Ok(()) => Answer::json(&digest.json()),
        Err(error) => Answer::error(error),
    }
}

fn describe(request: &Request) -> Answer {
    let query: Map<String, Value> =
        request.queries().iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    Answer::json(&json!({
        "method": request.method(),
        "scheme": request.scheme(),
        "authority": request.authority(),
        "segments": request.segments(),
        "query": query,
        "headers": request.headers(),
    }))
}

/// How many requests this instance has had.
fn count() -> Answer {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    Answer::text(REQUESTS.fetch_add(1, Ordering::Relaxed) + 1)
}
