/// Where the checker is: how messages call the table and the value.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: String,
    what: String,
}

impl Place {
    pub fn root() -> Self {
        Self { path: String::new(), what: "the file".to_owned() }
    }

    /// The value of `key` in this table.
    pub fn key(&self, key: &str) -> Self {
        let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let segment = if bare { key.to_owned() } else { format!("{key:?}") };
        let path = if self.path.is_empty() { segment } else { format!("{}.{segment}", self.path) };
        Self { path, what: format!("{key:?}") }
    }

    /// An item of this list.
    pub fn item(&self) -> Self {
        Self { path: self.path.clone(), what: format!("an item of {}", self.what) }
    }

    /// How a value here is called: its key.
    pub fn value(&self) -> &str {
        &self.what
    }

    /// How a table here is called: its whole path.
    pub fn table(&self) -> String {
        if self.path.is_empty() { "the file".to_owned() } else { format!("[{}]", self.path) }
    }
}
