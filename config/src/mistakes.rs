use std::fmt;

/// Where in a file something is. Both count from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in the line.
    pub column: usize,
}

/// One thing that is wrong with a configuration file.
///
/// Shown as `file:line:column: sentence`, and below it the line of the file where that line holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What the file is called.
    pub file: String,
    /// Where it is; `None` when the file as a whole is meant.
    pub position: Option<Position>,
    /// What is wrong, and what would be right. Holds no inserted value and no secret.
    pub sentence: String,
    pub(crate) excerpt: Option<Excerpt>,
}

/// The line of the file that a mistake is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub line: String,
    /// How many characters are meant. At least 1.
    pub width: usize,
}

impl Mistake {
    /// A mistake of the file as a whole.
    pub(crate) fn of_file(file: &str, sentence: impl Into<String>) -> Self {
        Self { file: file.to_owned(), position: None, sentence: sentence.into(), excerpt: None }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Position { line, column }) = self.position else {
            return write!(f, "{}: {}", self.file, self.sentence);
        };
        write!(f, "{}:{line}:{column}: {}", self.file, self.sentence)?;
        let Some(excerpt) = &self.excerpt else {
            return Ok(());
        };
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        let indent = " ".repeat(column.saturating_sub(1));
        write!(f, "\n {number} | {}\n {gutter} | {indent}{}", excerpt.line, "^".repeat(excerpt.width))
    }
}

/// Everything that is wrong with a configuration file, in the order of the file. There is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(crate) fn new(mistakes: Vec<Mistake>) -> Self {
        Self(mistakes)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
