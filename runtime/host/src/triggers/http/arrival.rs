//! How far a request has come in.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

use super::body::Flag;

/// A body as it comes in.
pub(super) struct Arriving<B> {
    body: B,
    stalled: Flag,
}

impl<B> Arriving<B> {
    pub fn new(body: B) -> Self {
        Self { body, stalled: Flag::default() }
    }

    /// Set while somebody waits for the client to send more.
    pub fn stalled(&self) -> Flag {
        self.stalled.clone()
    }
}

impl<B: Body + Unpin> Body for Arriving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.stalled.put(frame.is_pending());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
