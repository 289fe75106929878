//! A host of one's own: all that `slight` is, and one more kind of provider, which `type = "shelf"` names in the TOML.

fn main() -> std::process::ExitCode {
    slight::Cli::new(slight::builtin().with(embed::kind())).main()
}
