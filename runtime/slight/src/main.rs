//! The program `slight`.

fn main() -> std::process::ExitCode {
    slight::Cli::new(slight::builtin()).main()
}
