//! Where compiled components are kept. What is loaded from there runs as part of this process, unchecked: whoever can write
//! there can do what this process can. So it is used only if nobody else can, and never repaired: what is there already may
//! be theirs.

use std::{
    env,
    fs::{self, DirBuilder, Metadata, Permissions},
    io,
    path::{Component, Path, PathBuf},
};

use wasmtime::{Cache, CacheConfig};

/// Where compiled components are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeCache {
    /// In the user's cache directory (`$XDG_CACHE_HOME/slight` or `~/.cache/slight`), if there is one.
    User,
    /// In this directory.
    Directory(PathBuf),
    /// Nowhere.
    Off,
}

impl CodeCache {
    fn directory(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Directory(directory) => Some(directory.clone()),
            Self::User => user_directory(),
        }
    }

    /// A cache that cannot be had, or trusted, makes starts slower and is no reason to fail.
    pub(crate) fn open(&self) -> Option<Cache> {
        let directory = self.directory()?;
        if let Err(refused) = own(&directory) {
            tracing::warn!("compiled components are not kept: {refused}");
            return None;
        }
        let mut config = CacheConfig::new();
        config.with_directory(&directory);
        Cache::new(config)
            .inspect_err(|error| {
                tracing::warn!("compiled components are not kept: {} cannot be used ({error:#})", directory.display());
            })
            .ok()
    }

    /// Keeps what was written there to this user alone.
    pub(crate) fn tighten(&self) {
        let tightened = self.directory().map_or(Ok(()), |directory| for_each_file(&directory, &mut tighten));
        if let Err(error) = tightened {
            tracing::debug!("the permissions of the compiled components are as they were: {error}");
        }
    }
}

/// A path that is not absolute is not valid there, and left out (XDG Base Directory Specification).
fn user_directory() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(base.join("slight"))
}

/// Why a directory is not used, in a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("{} cannot be used: {reason}", .path.display())]
    Unusable { path: PathBuf, reason: io::Error },
    #[error(
        "{path} belongs to the user {owner}, and slight runs as {user}; set XDG_CACHE_HOME to a directory of your own",
        path = .path.display()
    )]
    Foreign { path: PathBuf, owner: u32, user: u32 },
    #[error(
        "others may write to {}, and what is there would be run without a check; see who does, then `chmod go-w` it, and \
         remove the compiled components: `rm -r {}`", .path.display(), .cache.display()
    )]
    Open { path: PathBuf, cache: PathBuf },
    #[error("{path} is neither a file nor a directory; remove it: `rm {path}`", path = .0.display())]
    Odd(PathBuf),
}

/// Makes the directory, or checks that only this user can write there: to it, to what is in it, and to all that leads there.
/// As nobody else can, nothing changes between the check and the use.
#[cfg(unix)]
fn own(directory: &Path) -> Result<(), Refused> {
    let unusable = |reason| Refused::Unusable { path: directory.to_owned(), reason };
    let user = user().map_err(unusable)?;
    let created = create(directory).map_err(unusable);
    let check = Check { user, cache: directory };
    check.path(&std::path::absolute(directory).map_err(unusable)?)?;
    created?;
    let own = fs::metadata(directory).map_err(unusable)?;
    check.owner(directory, &own, false)?;
    check.closed(directory, &own)?;
    check.tree(directory)?;
    fs::set_permissions(directory, mode(0o700)).map_err(unusable)
}

#[cfg(not(unix))]
fn own(directory: &Path) -> Result<(), Refused> {
    create(directory).map_err(|reason| Refused::Unusable { path: directory.to_owned(), reason })
}

fn create(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}

/// The user that files made by this process belong to.
#[cfg(unix)]
fn user() -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt;

    Ok(tempfile::tempfile()?.metadata()?.uid())
}

#[cfg(unix)]
fn mode(mode: u32) -> Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

#[cfg(unix)]
struct Check<'a> {
    user: u32,
    cache: &'a Path,
}

#[cfg(unix)]
impl Check<'_> {
    /// Checks every directory and link on the way: whoever can write to one of them decides what is at the end.
    fn path(&self, path: &Path) -> Result<(), Refused> {
        /// As many as Linux follows.
        const LINKS: usize = 40;
        let (mut place, mut links) = (PathBuf::new(), 0);
        let mut rest: Vec<PathBuf> = components(path);
        while let Some(next) = rest.pop() {
            if next == Path::new("..") {
                place.pop();
                continue;
            }
            place.push(next);
            let unusable = |reason| Refused::Unusable { path: place.clone(), reason };
            let found = fs::symlink_metadata(&place).map_err(unusable)?;
            self.owner(&place, &found, true)?;
            if !found.is_symlink() {
                self.closed(&place, &found)?;
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(unusable(io::Error::other("there are too many links")));
            }
            let target = fs::read_link(&place).map_err(unusable)?;
            place.pop();
            rest.extend(components(&target));
        }
        Ok(())
    }

    fn owner(&self, path: &Path, found: &Metadata, may_be_the_systems: bool) -> Result<(), Refused> {
        let owner = std::os::unix::fs::MetadataExt::uid(found);
        if owner == self.user || (may_be_the_systems && owner == 0) {
            return Ok(());
        }
        Err(Refused::Foreign { path: path.to_owned(), owner, user: self.user })
    }

    /// Whether nobody else can write there, or at least not to what is another's.
    fn closed(&self, path: &Path, found: &Metadata) -> Result<(), Refused> {
        const OTHERS_WRITE: u32 = 0o022;
        const STICKY: u32 = 0o1000;
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
        let is_shared = found.is_dir() && mode & STICKY != 0 && path != self.cache;
        if mode & OTHERS_WRITE == 0 || is_shared {
            return Ok(());
        }
        Err(Refused::Open { path: path.to_owned(), cache: self.cache.to_owned() })
    }

    fn tree(&self, directory: &Path) -> Result<(), Refused> {
        let mut refused = Ok(());
        for_each_file(directory, &mut |path, found| {
            let checked = match found.is_file() || found.is_dir() {
                true => self.owner(path, found, false).and_then(|()| self.closed(path, found)),
                false => Err(Refused::Odd(path.to_owned())),
            };
            if let (Err(why), Ok(())) = (checked, &refused) {
                refused = Err(why);
            }
            Ok(())
        })
        .map_err(|reason| Refused::Unusable { path: directory.to_owned(), reason })?;
        refused
    }
}

/// The parts of a path, the last one first.
#[cfg(unix)]
fn components(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    parts.rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

/// Calls `look` with all that is in a directory, links not followed. What vanishes meanwhile was another process'.
fn for_each_file(directory: &Path, look: &mut impl FnMut(&Path, &Metadata) -> io::Result<()>) -> io::Result<()> {
    let unless_gone = |error: io::Error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) };
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let looked = fs::symlink_metadata(&path).and_then(|found| {
            look(&path, &found)?;
            if found.is_dir() { for_each_file(&path, look) } else { Ok(()) }
        });
        looked.or_else(unless_gone)?;
    }
    Ok(())
}

#[cfg(unix)]
fn tighten(path: &Path, found: &Metadata) -> io::Result<()> {
    let wanted = if found.is_dir() { 0o700 } else { 0o600 };
    let actual = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o7777;
    if actual == wanted || found.is_symlink() { Ok(()) } else { fs::set_permissions(path, mode(wanted)) }
}

#[cfg(not(unix))]
fn tighten(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory whose path has no links, as those of temporary directories may have.
    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        (directory, path)
    }

    fn mode_of(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn refusal(cache: &Path) -> String {
        own(cache).expect_err("it must be refused").to_string()
    }

    #[test]
    fn a_directory_that_is_made_is_this_users_alone() {
        let (_guard, base) = directory();
        let cache = base.join("cache/slight");
        own(&cache).unwrap();
        assert_eq!(mode_of(&cache), 0o700);
        fs::set_permissions(&cache, mode(0o755)).unwrap();
        own(&cache).unwrap();
        assert_eq!(mode_of(&cache), 0o700, "one that others could read is closed");
    }

    #[test]
    fn what_others_can_write_to_is_refused_with_what_to_do() {
        let (_guard, base) = directory();
        let cache = base.join("slight");
        let modules = cache.join("modules");
        let artifact = modules.join("artifact");
        fs::create_dir_all(&modules).unwrap();
        fs::write(&artifact, "code").unwrap();
        own(&cache).unwrap();
        for (path, open, closed) in [
            (&artifact, 0o666, 0o600),
            (&artifact, 0o620, 0o600),
            (&modules, 0o777, 0o700),
            (&cache, 0o1777, 0o700),
            (&base, 0o770, 0o700),
        ] {
            fs::set_permissions(path, mode(open)).unwrap();
            let refused = refusal(&cache);
            assert!(refused.contains(&format!("others may write to {}", path.display())), "{refused}");
            assert!(refused.contains(&format!("`rm -r {}`", cache.display())), "{refused}");
            assert_eq!(mode_of(path), open, "it is not repaired: what is there may be theirs");
            fs::set_permissions(path, mode(closed)).unwrap();
            own(&cache).unwrap();
        }
    }

    #[test]
    fn what_belongs_to_another_user_is_refused() {
        let (_guard, base) = directory();
        let cache = base.join("slight");
        fs::create_dir(&cache).unwrap();
        let other = Check { user: user().unwrap().wrapping_add(1000), cache: &cache };
        let refused = other.owner(&cache, &fs::metadata(&cache).unwrap(), false).unwrap_err().to_string();
        assert!(refused.contains("XDG_CACHE_HOME"), "{refused}");
        fs::write(cache.join("artifact"), "code").unwrap();
        assert!(matches!(other.tree(&cache), Err(Refused::Foreign { .. })));
        assert!(matches!(other.path(&cache), Err(Refused::Foreign { .. })) || user().unwrap() == 0);
    }

    #[test]
    fn every_link_on_the_way_is_followed_by_the_check() {
        let (_guard, base) = directory();
        let (open, link) = (base.join("open"), base.join("link"));
        fs::create_dir_all(open.join("slight")).unwrap();
        symlink("./open/../open", &link).unwrap();
        own(&link.join("slight")).unwrap();
        fs::set_permissions(&open, mode(0o777)).unwrap();
        let refused = refusal(&link.join("slight"));
        assert!(refused.contains(&format!("others may write to {}", open.display())), "{refused}");
        let round = base.join("round");
        symlink("round", &round).unwrap();
        assert!(matches!(own(&round), Err(Refused::Unusable { .. })));
    }

    #[test]
    fn a_link_among_what_is_kept_is_refused() {
        let (_guard, base) = directory();
        let cache = base.join("slight");
        own(&cache).unwrap();
        symlink("/dev/null", cache.join("modules")).unwrap();
        assert!(refusal(&cache).contains("neither a file nor a directory"));
    }

    #[test]
    fn what_was_kept_is_this_users_alone() {
        let (_guard, base) = directory();
        let artifact = base.join("modules/artifact");
        fs::create_dir(base.join("modules")).unwrap();
        fs::write(&artifact, "code").unwrap();
        CodeCache::Directory(base.clone()).tighten();
        assert_eq!((mode_of(&artifact), mode_of(&base.join("modules"))), (0o600, 0o700));
    }
}
