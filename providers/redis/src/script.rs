use redis::{Cmd, Script as Source, cmd};

/// A Lua script, run by its digest, so that its text is sent only to a server that does not know it.
pub(crate) struct Script {
    text: String,
    digest: String,
    /// The same for a server that is full, where that can be.
    when_full: Option<Box<Script>>,
}

impl Script {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { digest: Source::new(&text).get_hash().to_owned(), text, when_full: None }
    }

    /// A script that leads to less being kept, though it may write some bytes itself: it runs also where the server has
    /// reached its limit of memory. Servers before 7.0 know no way to say that.
    pub(crate) fn that_frees(text: &str) -> Self {
        let when_full = Self::new(format!("#!lua flags=allow-oom\n{text}"));
        Self { when_full: Some(Box::new(when_full)), ..Self::new(text) }
    }

    pub(crate) fn when_full(&self) -> Option<&Self> {
        self.when_full.as_deref()
    }

    pub(crate) fn by_digest(&self, call: &Call<'_>) -> Cmd {
        call.command("EVALSHA", &self.digest)
    }

    /// The server keeps the text for the next time.
    pub(crate) fn by_text(&self, call: &Call<'_>) -> Cmd {
        call.command("EVAL", &self.text)
    }
}

/// What a script is called with. All its keys have one hash tag.
pub(crate) struct Call<'a> {
    pub(crate) keys: &'a [&'a [u8]],
    pub(crate) arguments: &'a [&'a [u8]],
}

impl Call<'_> {
    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(script).arg(self.keys.len());
        for part in self.keys.iter().chain(self.arguments) {
            command.arg(*part);
        }
        command
    }
}
