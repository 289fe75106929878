use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use slight_capabilities::Error;

/// What is sent.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) subject: String,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) payload: Bytes,
}

impl Call {
    /// What counts against the server's `max_payload`.
    pub(crate) fn size(&self) -> usize {
        const FRAME: usize = "NATS/1.0\r\n\r\n".len();
        const LINE: usize = ": \r\n".len();
        let headers = self.headers.as_ref().filter(|headers| !headers.is_empty()).map_or(0, |headers| {
            let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
            let line = |(name, value): (&HeaderName, &HeaderValue)| {
                AsRef::<str>::as_ref(name).len() + value.as_str().len() + LINE
            };
            FRAME + lines.map(line).sum::<usize>()
        });
        headers + self.payload.len()
    }

    pub(crate) fn too_large(&self, limit: usize) -> Error {
        Error::too_large("the message as it is sent", self.size() as u64, limit as u64)
    }
}

/// A name that nobody else has.
pub(crate) fn unique() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(22).collect()
}
