//! As much of Redis's protocol as it takes to see that a server is ready and to make a cluster of several.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
};

/// Refused for want of a password counts: then the server is ready to refuse.
pub(crate) fn is_ready(stream: TcpStream) -> io::Result<bool> {
    let answer = ask(stream, "PING")?;
    Ok(answer == "+PONG" || answer.starts_with("-NOAUTH"))
}

/// Sends a command of words to the server on a loopback port and gives its answer, an error as well.
pub(crate) fn command(port: u16, words: &str) -> io::Result<String> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(crate::wait::ANSWER))?;
    ask(stream, words)
}

fn ask(stream: TcpStream, words: &str) -> io::Result<String> {
    (&stream).write_all(format!("{words}\r\n").as_bytes())?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some(length) = line.strip_prefix('$') else { return Ok(line.trim_end().to_owned()) };
    let length = length.trim_end().parse().map_err(io::Error::other)?;
    let mut text = vec![0; length];
    reader.read_exact(&mut text)?;
    String::from_utf8(text).map_err(io::Error::other)
}
