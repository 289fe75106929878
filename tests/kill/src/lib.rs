//! Kills processes that write, and checks that what was acknowledged is there.
//!
//! A provider's test names itself and says how to open the provider. The test binary then starts itself again, as a
//! *writer* that writes with many tasks and tells every write on stdout, before it is asked for and after it was
//! acknowledged. At a random moment the writer is killed, which no code of it can see coming; the provider is opened
//! again, and must hold all that was acknowledged, whole, and of what was not yet acknowledged all or nothing. The next
//! writer goes on from there.
//!
//! Beside that, [`on_a_small_disk`] gives a test a disk that it can fill.
//!
//! `SLIGHT_KILL_ROUNDS` and `SLIGHT_KILL_SEED` set how often and with which numbers; both are printed.

mod check;
mod content;
mod disk;
mod messages;
mod model;
mod protocol;
mod random;
mod rounds;
mod scratch;
mod writer;

use std::{path::PathBuf, pin::Pin, sync::Arc};

use slight_capabilities::{Capability, Provider, Result};

pub use disk::{Filled, fill, fill_while_writing, image, on_a_small_disk};
pub use scratch::scratch;

/// A provider that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Arc<dyn Provider>>>>>;

/// What is to be killed.
pub struct KillTest {
    /// The name of the test that calls [`run`](Self::run), as `cargo test` takes it.
    pub test: &'static str,
    /// Where temporary data may be: a real disk.
    pub directory: &'static str,
    /// Opens the provider on a directory of its own.
    pub open: fn(PathBuf) -> Opening,
    /// What is written to.
    pub capabilities: &'static [Capability],
}

/// Why a test failed.
pub type Outcome<T = ()> = std::result::Result<T, String>;

impl KillTest {
    /// Kills and checks, for all rounds; in a process that it started itself, writes instead.
    ///
    /// # Errors
    /// What was lost, or what else went wrong.
    pub fn run(&self) -> Outcome {
        match protocol::Orders::given()? {
            Some(orders) => writer::run(self, &orders),
            None => rounds::run(self),
        }
    }

    async fn provider(&self, directory: PathBuf) -> Outcome<Arc<dyn Provider>> {
        let provider = (self.open)(directory).await.map_err(|error| format!("opening: {error}"))?;
        for capability in self.capabilities {
            provider.prepare(*capability).await.map_err(|error| format!("preparing {capability}: {error}"))?;
        }
        Ok(provider)
    }
}
