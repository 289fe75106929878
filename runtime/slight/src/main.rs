//! Runs a WebAssembly component with cloud capabilities chosen by a TOML file.
fn main() {}
