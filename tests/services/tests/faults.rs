//! A network that fails as it is told to, in front of a server that says what it got.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use slight_services::{DEADLINE, Fault, Faults, Request, Rule};

/// A server that answers each request with its body, of as many bytes as were sent; and how many it has answered.
fn echo() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (port, answered) = (listener.local_addr().unwrap().port(), Arc::<AtomicUsize>::default());
    let counted = answered.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, counted) = (stream.unwrap(), counted.clone());
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some((_, body)) = message(&mut reader) {
                    counted.fetch_add(1, Ordering::SeqCst);
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                    stream.write_all(head.as_bytes()).unwrap();
                    // The other end may have had enough.
                    let _ = stream.write_all(&body);
                }
            });
        }
    });
    (port, answered)
}

/// The first line and the body of what comes next; `None` where it ends or is cut.
fn message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.to_ascii_lowercase().strip_prefix("content-length:") {
            Some(value) => length = value.trim().parse().ok()?,
            None if line.trim().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((first.trim_end().to_owned(), body))
}

/// Sends a request on a connection, and gives the answer's first line and body.
fn ask(stream: &TcpStream, method: &str, target: &str, body: &str) -> Option<(String, Vec<u8>)> {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut writer = stream;
    writer.write_all(head.as_bytes()).ok()?;
    message(&mut BufReader::new(stream))
}

fn connect(faults: &Faults) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, faults.port())).unwrap()
}

fn network() -> (Faults, Arc<AtomicUsize>) {
    let (port, answered) = echo();
    (Faults::before(port), answered)
}

#[test]
fn without_rules_everything_passes_and_is_counted() {
    let (faults, _) = network();
    let stream = connect(&faults);
    for (method, body) in [("PUT", "content"), ("GET", ""), ("PUT", "again")] {
        assert_eq!(ask(&stream, method, "/a?b=c", body).unwrap(), ("HTTP/1.1 200 OK".to_owned(), body.into()));
    }
    assert_eq!((faults.count("PUT"), faults.count("GET"), faults.count("HEAD")), (2, 1, 0));
    let seen = faults.take_requests();
    assert_eq!(seen[0], Request { method: "PUT".into(), target: "/a?b=c".into() });
    assert_eq!((seen.len(), faults.take_requests()), (3, vec![]));
}

#[test]
fn chunks_pass_as_they_are() {
    let (faults, _) = network();
    let stream = connect(&faults);
    let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 13\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    (&stream).write_all(chunked.as_bytes()).unwrap();
    assert_eq!(message(&mut BufReader::new(&stream)).unwrap().1, b"3\r\nabc\r\n0\r\n\r\n");
}

#[test]
fn an_answer_takes_the_place_of_the_servers() {
    let (faults, answered) = network();
    let stream = connect(&faults);
    faults.add(Rule::once(Fault::answer(503, "busy")).method("PUT").target("b=").after(1));
    assert_eq!(ask(&stream, "PUT", "/a?b=1", "first").unwrap().0, "HTTP/1.1 200 OK");
    assert_eq!(ask(&stream, "PUT", "/a", "").unwrap().0, "HTTP/1.1 200 OK");
    assert_eq!(ask(&stream, "GET", "/a?b=2", "").unwrap().0, "HTTP/1.1 200 OK");
    assert_eq!(ask(&stream, "PUT", "/a?b=3", "second").unwrap(), ("HTTP/1.1 503 Fault".to_owned(), b"busy".into()));
    assert_eq!(ask(&stream, "PUT", "/a?b=4", "third").unwrap().0, "HTTP/1.1 200 OK");
    assert_eq!(answered.load(Ordering::SeqCst), 4);
}

#[test]
fn a_connection_is_cut_before_or_after_the_server_has_answered() {
    let (faults, answered) = network();
    for (fault, known) in [(Fault::CutRequest, 0), (Fault::CutAnswer, 1)] {
        faults.add(Rule::once(fault));
        assert_eq!(ask(&connect(&faults), "PUT", "/", "content"), None);
        assert_eq!(answered.load(Ordering::SeqCst), known);
    }
    assert!(ask(&connect(&faults), "PUT", "/", "content").is_some());
}

#[test]
fn a_body_is_cut_where_it_is_told() {
    let (faults, _) = network();
    faults.add(Rule::always(Fault::CutBody(4)));
    let stream = connect(&faults);
    assert_eq!(ask(&stream, "PUT", "/", "1234").unwrap().1, b"1234");
    (&stream).write_all(b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123456789").unwrap();
    let mut rest = String::new();
    (&stream).read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n\r\n1234"), "{rest}");
}

#[test]
fn an_answer_is_late_until_the_rules_are_taken_away() {
    let (faults, _) = network();
    let stream = connect(&faults);
    faults.add(Rule::always(Fault::Delay(Duration::from_secs(1))));
    let started = Instant::now();
    ask(&stream, "GET", "/", "").unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    faults.clear();
    faults.add(Rule::always(Fault::Delay(DEADLINE)));
    faults.clear();
    let started = Instant::now();
    ask(&stream, "GET", "/", "").unwrap();
    assert!(started.elapsed() < DEADLINE);
}
