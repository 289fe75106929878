//! A command on `wasi:cli` 0.3.0: prints its arguments, one a line; fails if the first is `fail`.

use futures_util::join;
use wasip3::cli::{environment, stdout};
use wasip3::wit_stream;

struct Command;

impl wasip3::exports::cli::run::Guest for Command {
    async fn run() -> Result<(), ()> {
        // The first argument is the program's name.
        let arguments: Vec<String> = environment::get_arguments().into_iter().skip(1).collect();
        let text: String = arguments.iter().map(|argument| format!("{argument}\n")).collect();
        let (mut out, contents) = wit_stream::new();
        let (written, ()) = join!(async { stdout::write_via_stream(contents).await }, async {
            out.write_all(text.into_bytes()).await;
            drop(out);
        });
        match arguments.first() {
            Some(first) if first == "fail" => Err(()),
            _ => written.map_err(|_| ()),
        }
    }
}

wasip3::cli::command::export!(Command);
