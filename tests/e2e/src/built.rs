//! Where what was built lies.

use std::path::{Path, PathBuf};

/// The folder of the whole project.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate is in tests/e2e").to_owned()
}

/// The component of a guest.
pub fn guest(name: &str) -> PathBuf {
    let path = root().join("target/guests").join(format!("{name}.wasm"));
    assert!(path.is_file(), "there is no {}; `tests/guests/build {name}` makes it", path.display());
    path
}

/// The component of a guest, with a name in it replaced by one of the same length.
///
/// # Panics
/// When the name is not in it.
pub fn patched(name: &str, old: &str, new: &str) -> Vec<u8> {
    let (mut bytes, length) = (std::fs::read(guest(name)).expect("a guest can be read"), old.len());
    assert_eq!(length, new.len());
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old.as_bytes())).collect();
    assert!(!places.is_empty(), "{old} is not in {name}");
    places.into_iter().for_each(|at| bytes[at..at + length].copy_from_slice(new.as_bytes()));
    bytes
}

/// The program: of the same profile as the test that is running.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/<profile>/deps/<test>
    let profile = test.ancestors().nth(2).expect("a test lies in its profile's folder");
    let path = profile.join(format!("slight{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "there is no {}; `cargo build -p slight` makes it, and `tests/run` makes all",
        path.display()
    );
    path
}

/// One cache of compiled components for all tests, so that each guest is compiled once.
pub fn cache() -> PathBuf {
    root().join("target/e2e-cache")
}
