use std::{io::Read, sync::Arc, thread};

use tokio::sync::watch;

use crate::wait::within;

/// What a process has written to one of its streams.
pub struct Output {
    so_far: watch::Receiver<Written>,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    /// Reads a stream to its end, in the background.
    pub fn collect(mut stream: impl Read + Send + 'static) -> Arc<Self> {
        let (sender, so_far) = watch::channel(Written::default());
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                sender.send_modify(|written| written.bytes.extend_from_slice(&buffer[..length]));
            }
            sender.send_modify(|written| written.ended = true);
        });
        Arc::new(Self { so_far })
    }

    /// The bytes until now.
    pub fn bytes(&self) -> Vec<u8> {
        self.so_far.borrow().bytes.clone()
    }

    /// The text until now.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Waits for a complete line that has this in it. `None` if the stream ends without.
    pub async fn line_with(&self, part: &str) -> Option<String> {
        let find = |written: &Written| {
            let text = String::from_utf8_lossy(&written.bytes);
            text.split_inclusive('\n').find(|line| line.contains(part) && line.ends_with('\n')).map(str::to_owned)
        };
        let mut so_far = self.so_far.clone();
        let found = so_far.wait_for(|written| written.ended || find(written).is_some());
        let written = within(&format!("a line with {part:?}"), found).await;
        written.ok().and_then(|written| find(&written))
    }

    /// Waits until the stream has ended.
    pub async fn end(&self) {
        let mut so_far = self.so_far.clone();
        let _ = within("the end of the output", so_far.wait_for(|written| written.ended)).await;
    }
}
