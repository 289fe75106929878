//! Calls one function of the host again and again, with arguments as large as it is told; the paths are in
//! `tests/guests/README.md`.

use std::time::{Duration, Instant};

use guest_support::wasip2::{
    cli::{environment, stderr, stdout},
    clocks::monotonic_clock,
    http::types::{Fields, OutgoingRequest},
    io::poll,
    random::{insecure, random},
};
use guest_support::{Answer, Request};
use wasi::{
    blobstore::blobstore,
    keyvalue::{batch, store},
    logging::logging,
    messaging::types::Message,
};

wit_bindgen::generate!({
    path: [
        "../../../wit/io-0.2.2",
        "../../../wit/keyvalue-0.2.0-draft2",
        "../../../wit/blobstore-0.2.0-draft",
        "../../../wit/messaging-0.2.0-draft",
        "../../../wit/logging-0.1.0-draft",
    ],
    inline: "
        package test:host-calls;

        world all {
            include wasi:keyvalue/imports@0.2.0-draft2;
            include wasi:blobstore/imports@0.2.0-draft;
            include wasi:messaging/imports@0.2.0-draft;
            include wasi:logging/imports@0.1.0-draft;
        }
    ",
    world: "test:host-calls/all",
    with: {
        "wasi:io/error@0.2.2": guest_support::wasip2::io::error,
        "wasi:io/poll@0.2.2": guest_support::wasip2::io::poll,
        "wasi:io/streams@0.2.2": guest_support::wasip2::io::streams,
    },
    generate_all,
});

guest_support::serve_http!(handle);

fn handle(request: Request) -> Answer {
    let (count, bytes) = (request.number("count", 1000), request.number("bytes", 1 << 20));
    let for_ms = request.number("ms", u64::MAX);
    match request.segments().as_slice() {
        ["ok"] => Answer::text("ok"),
        ["hold"] => {
            let held = vec![1_u8; bytes];
            std::thread::sleep(Duration::from_millis(for_ms));
            Answer::text(std::hint::black_box(held).len())
        }
        ["loop", function] => match call(function, count, bytes) {
            Some(call) => repeat(call, Duration::from_millis(for_ms)),
            None => Answer::not_found("no such function"),
        },
        _ => Answer::not_found("no such path"),
    }
}

/// Calls until the time is over; what the last call said, and how often there was one.
fn repeat(mut call: Call, time: Duration) -> Answer {
    let (start, mut calls) = (Instant::now(), 0_u64);
    loop {
        let said = call();
        calls += 1;
        if start.elapsed() >= time {
            return Answer::text(format!("{calls} calls: {said}"));
        }
    }
}

type Call = Box<dyn FnMut() -> String>;

fn boxed<T: std::fmt::Debug>(mut call: impl FnMut() -> T + 'static) -> Option<Call> {
    Some(Box::new(move || {
        let said = format!("{:?}", call());
        said.chars().take(200).collect()
    }))
}

/// The function, and arguments of so many items or bytes.
fn call(function: &str, count: usize, bytes: usize) -> Option<Call> {
    let keys = move || -> Vec<String> { (0..count).map(|number| number.to_string()).collect() };
    let text = move || "x".repeat(bytes);
    match function {
        "random" => boxed(move || random::get_random_bytes(bytes as u64).len()),
        "insecure-random" => boxed(move || insecure::get_insecure_random_bytes(bytes as u64).len()),
        "poll" => {
            let pollable = monotonic_clock::subscribe_duration(0);
            boxed(move || poll::poll(&vec![&pollable; count]).len())
        }
        "environment" => boxed(|| environment::get_environment().len()),
        "write" => {
            let (out, lines) = (stdout::get_stdout(), vec![b'\n'; bytes.min(4096)]);
            boxed(move || out.blocking_write_and_flush(&lines))
        }
        "stderr" => {
            let (out, line) = (stderr::get_stderr(), "a line that says nothing\n".repeat(4096 / 25));
            boxed(move || out.blocking_write_and_flush(line.as_bytes()))
        }
        "fields" => {
            let entries: Vec<_> = keys().into_iter().map(|key| (format!("x-{key}"), b"v".to_vec())).collect();
            boxed(move || Fields::from_list(&entries).map(|fields| fields.entries().len()))
        }
        "path" => {
            let path = format!("/{}", text());
            boxed(move || OutgoingRequest::new(Fields::new()).set_path_with_query(Some(&path)))
        }
        "log" => {
            let text = text();
            boxed(move || logging::log(logging::Level::Info, "", &text))
        }
        _ => stored(function, keys, text),
    }
}

/// Those that need a handle: in the bucket and the container `default`.
fn stored(
    function: &str,
    keys: impl Fn() -> Vec<String> + 'static,
    text: impl Fn() -> String + 'static,
) -> Option<Call> {
    let bucket = store::open("default").ok();
    match function {
        "set" => {
            let (bucket, value) = (bucket?, text().into_bytes());
            boxed(move || bucket.set("large", &value))
        }
        "get" => {
            let bucket = bucket?;
            bucket.set("large", text().as_bytes()).ok()?;
            boxed(move || bucket.get("large").map(|value| value.map(|value| value.len())))
        }
        "open" => {
            let name = text();
            boxed(move || store::open(&name).map(drop))
        }
        "list-keys" => {
            let (bucket, value) = (bucket?, b"v".to_vec());
            batch::set_many(&bucket, &keys().into_iter().map(|key| (key, value.clone())).collect::<Vec<_>>()).ok()?;
            boxed(move || bucket.list_keys(None).map(|page| page.keys.len()))
        }
        "set-many" => {
            let (bucket, entries) = (bucket?, keys().into_iter().map(|key| (key, b"v".to_vec())).collect::<Vec<_>>());
            boxed(move || batch::set_many(&bucket, &entries))
        }
        "get-many" => {
            let (bucket, keys) = (bucket?, keys());
            boxed(move || batch::get_many(&bucket, &keys).map(|values| values.len()))
        }
        "delete-many" => {
            let (bucket, keys) = (bucket?, keys());
            boxed(move || batch::delete_many(&bucket, &keys))
        }
        "delete-objects" => {
            let (container, keys) = (container()?, keys());
            boxed(move || container.delete_objects(&keys))
        }
        "message" => {
            let data = text().into_bytes();
            boxed(move || Message::new(&data).data().len())
        }
        "metadata" => {
            let metadata: Vec<_> = keys().into_iter().map(|key| (key, String::new())).collect();
            let message = Message::new(&[]);
            boxed(move || {
                message.set_metadata(&metadata);
                message.metadata().map(|metadata| metadata.len())
            })
        }
        _ => None,
    }
}

fn container() -> Option<wasi::blobstore::container::Container> {
    let name = "default".to_owned();
    blobstore::create_container(&name).or_else(|_| blobstore::get_container(&name)).ok()
}
