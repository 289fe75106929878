//! A network that fails as it is told to.

use std::{
    io::{self, BufReader, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{
    http::{Head, Length, copy},
    rule::{Fault, Request, Rule},
};

/// An HTTP server on loopback that forwards to another one, and gets in the way where a [`Rule`] says so.
///
/// It keeps the `Host` that clients send, so that signed requests stay what they were. It speaks HTTP/1.1 without TLS.
/// Connections that are open when it is dropped go on.
pub struct Faults {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: u16,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    rules: Vec<Rule>,
    seen: Vec<Request>,
}

impl State {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the request, and says what goes wrong with it: by the first rule that fits.
    fn meet(&self, request: Request) -> Option<Fault> {
        let mut inner = self.inner();
        let rule = inner.rules.iter_mut().find(|rule| rule.fits(&request));
        let fault = rule.and_then(Rule::meet);
        inner.seen.push(request);
        fault
    }
}

impl Faults {
    /// Forwards to the server on this port of loopback, on a port of its own.
    ///
    /// # Panics
    /// When there is no port.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(State { server, inner: Mutex::default() });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let state = shared.clone();
                // Whatever ends a connection, the client sees an end.
                thread::spawn(move || client.and_then(|client| serve(&client, &state)));
            }
        });
        Self { port, state }
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients find it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds a rule, which counts after those that are there.
    pub fn add(&self, rule: Rule) {
        self.state.inner().rules.push(rule);
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.state.inner().rules.clear();
    }

    /// The requests since the last call of this.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.inner().seen)
    }

    /// How many requests of a method there were since the last [`take_requests`](Self::take_requests).
    pub fn count(&self, method: &str) -> usize {
        self.state.inner().seen.iter().filter(|request| request.method == method).count()
    }
}

/// Serves one connection until it ends or is cut, which is the end of this function.
fn serve(client: &TcpStream, state: &State) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut reader = BufReader::new(client);
    let mut writer = client;
    while let Some(head) = Head::read(&mut reader)? {
        let (method, target) = head.request().ok_or(io::ErrorKind::InvalidData)?;
        if head.expects_continue() {
            writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let is_head = method == "HEAD";
        match state.meet(Request { method: method.to_owned(), target: target.to_owned() }) {
            Some(Fault::Answer { status, headers, body }) => {
                copy(&mut reader, &mut io::sink(), head.request_length(), u64::MAX)?;
                answer(writer, status, &headers, if is_head { "" } else { &body })?;
            }
            Some(Fault::CutRequest) => return client.shutdown(Shutdown::Both),
            fault => {
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, state.server))?;
                server.set_nodelay(true)?;
                // A server may answer, and end the connection, before it has read all.
                let (answer, sent) = forward(&head, &mut reader, &server)?;
                if !deliver(answer, is_head, fault, writer)? || !sent {
                    return client.shutdown(Shutdown::Both);
                }
            }
        }
    }
    Ok(())
}

/// Sends a request to the server, as far as it takes it, and waits for the head of its answer.
fn forward<'a>(
    head: &Head,
    body: &mut BufReader<&TcpStream>,
    mut server: &'a TcpStream,
) -> io::Result<((Head, BufReader<&'a TcpStream>), bool)> {
    server.write_all(&head.bytes)?;
    let sent = copy(body, &mut server, head.request_length(), u64::MAX).is_ok();
    let mut reader = BufReader::new(server);
    loop {
        match Head::read(&mut reader)? {
            Some(head) if head.is_interim() => {}
            Some(head) => return Ok(((head, reader), sent)),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Hands the server's answer on; false if the connection is to be cut.
fn deliver(
    (head, mut body): (Head, BufReader<&TcpStream>),
    is_head: bool,
    fault: Option<Fault>,
    mut client: &TcpStream,
) -> io::Result<bool> {
    let length = if is_head { Length::Known(0) } else { head.response_length() };
    let most = match fault {
        Some(Fault::CutAnswer) => {
            // All of it: then the server is through, whatever it does while it answers.
            copy(&mut body, &mut io::sink(), length, u64::MAX)?;
            return Ok(false);
        }
        Some(Fault::CutBody(most)) => most,
        Some(Fault::Delay(time)) => {
            thread::sleep(time);
            u64::MAX
        }
        _ => u64::MAX,
    };
    client.write_all(&head.bytes)?;
    let whole = copy(&mut body, &mut client, length, most)?;
    Ok(whole && length != Length::UntilEnd)
}

fn answer(mut client: &TcpStream, status: u16, headers: &[(String, String)], body: &str) -> io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Fault\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("\r\n{body}"));
    client.write_all(text.as_bytes())
}
