use slight_capabilities::{Error, Result};

use crate::{
    location::is_plain,
    names::{object_of, object_path},
    temporary::TEMPORARY,
};

/// How the objects of a container are named on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As [`names`](crate::names) says: any name has a path, and any path has at most one name.
    Encoded,
    /// The name is the path, as other programs see it.
    Literal,
}

impl Naming {
    /// The path of an object within its container.
    pub(crate) fn path(self, object: &str) -> Result<Vec<String>> {
        if self == Self::Encoded {
            return Ok(object_path(object));
        }
        if !is_plain(object) || object.starts_with(TEMPORARY) {
            return Err(Error::invalid(format!(
                "{object:?} cannot be a file of this location: names here are relative paths without \"..\", empty parts \
                 or NUL"
            )));
        }
        Ok(object.split('/').map(str::to_owned).collect())
    }

    /// The object that a path stands for, if it stands for one.
    pub(crate) fn object(self, path: &[String]) -> Option<String> {
        match self {
            Self::Encoded => object_of(path),
            Self::Literal => path.first().filter(|first| !first.starts_with(TEMPORARY)).map(|_| path.join("/")),
        }
    }

    /// Where a listing goes on after an object.
    pub(crate) fn after(self, object: &str) -> Vec<String> {
        match self {
            Self::Encoded => object_path(object),
            Self::Literal => object.split('/').map(str::to_owned).collect(),
        }
    }
}
