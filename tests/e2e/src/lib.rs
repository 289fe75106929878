//! What the end-to-end tests stand on: it starts the real `slight` with real guests, talks HTTP to it, and sees to it
//! that no process outlives its test and that none ever panics.
//!
//! ```no_run
//! # async fn example() {
//! let app = slight_e2e::run("hello-http").start().await;
//! assert_eq!(app.get("/").await.text(), "hello");
//! assert_eq!(app.stop().await.code, Some(0));
//! # }
//! ```

mod built;
mod client;
mod invocation;
mod output;
mod process;
mod wait;

pub use self::built::{binary, cache, guest, patched, root};
pub use self::{
    client::{Answer, Body, Connection, collect, empty, full, pieces},
    invocation::{Invocation, check, run, slight},
    process::{Ended, Running},
    wait::{DEADLINE, eventually, within},
};
