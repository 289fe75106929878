//! What is there twice is the same: the WIT files of the examples, and the programs of `wit/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use slight_e2e::root;

/// The files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The components among them.
fn examples() -> impl Iterator<Item = PathBuf> {
    let folders = fs::read_dir(root().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("wit").is_dir())
}

#[test]
fn the_wit_files_of_the_examples_are_those_of_the_project() {
    let mut compared = 0;
    for example in examples() {
        let copies = example.join("wit");
        for copy in files(&copies) {
            let name = copy.strip_prefix(&copies).unwrap();
            let [copied, original] = [&copy, &root().join("wit").join(name)].map(|path| fs::read(path).unwrap());
            assert!(copied == original, "{} is not the file in wit/; copy it once more", copy.display());
            compared += 1;
        }
    }
    assert!(compared > 4, "{compared}");
}

#[test]
fn an_example_can_be_copied_out() {
    for example in examples() {
        for source in files(&example.join("src")).into_iter().chain([example.join("Cargo.toml")]) {
            let leads_out = fs::read_to_string(&source).unwrap().contains("../");
            assert!(!leads_out, "{} needs what is outside of its folder", source.display());
        }
    }
}

#[test]
fn the_programs_of_the_readme_for_guests_are_those_that_are_tested() {
    let readme = fs::read_to_string(root().join("wit/README.md")).unwrap();
    for guest in ["visits", "notes"] {
        let source = fs::read_to_string(root().join("tests/guests").join(guest).join("src/lib.rs")).unwrap();
        assert!(readme.contains(&format!("```rust\n{source}```\n")), "wit/README.md does not have the program {guest}");
    }
}
