use redis::{Cmd, Script as Source, cmd};

/// A Lua script, run by its digest, so that its text is sent only to a server that does not know it.
pub(crate) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text, digest: Source::new(text).get_hash().to_owned() }
    }

    pub(crate) fn by_digest(&self, call: &Call<'_>) -> Cmd {
        call.command("EVALSHA", &self.digest)
    }

    /// The server keeps the text for the next time.
    pub(crate) fn by_text(&self, call: &Call<'_>) -> Cmd {
        call.command("EVAL", self.text)
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
