//! The TOML file of slight, read, checked and resolved.
