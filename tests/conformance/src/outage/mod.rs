//! Cases of a server that ends and comes back: what it acknowledged is there, what it did not is said to be so.

mod blob;
mod key_value;
mod load;
mod messaging;

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use slight_capabilities::{Capability, Provider, Result};
use tokio::task::block_in_place;

use crate::{
    case::guarded,
    check::{Failure, Outcome},
    report, suite,
};

/// A server of one case's own, on storage that keeps what it acknowledged.
#[async_trait]
pub trait Killable: Send + Sync {
    /// Connects a provider to it. The suite calls [`Provider::prepare`].
    ///
    /// # Errors
    /// Those of the provider; the case fails with it.
    async fn connect(&self) -> Result<Arc<dyn Provider>>;

    /// Ends it: at once, if what it acknowledged survives that.
    fn kill(&mut self);

    /// Starts it again, in the same place and with the same data, and waits until it answers.
    fn restart(&mut self);
}

/// Starts a server; or says which is not on this machine, and how to get it.
pub type Start = fn() -> std::result::Result<Box<dyn Killable>, String>;

/// A server that was started, and a provider on it.
struct Outage {
    server: Box<dyn Killable>,
    provider: Arc<dyn Provider>,
}

impl Outage {
    async fn begin(start: Start, capability: Capability) -> Outcome<Self> {
        let server = block_in_place(start).map_err(Failure::skipped)?;
        let provider = server.connect().await.map_err(|error| Failure::from(error).within("connecting"))?;
        provider.prepare(capability).await.map_err(|error| Failure::from(error).within("preparing"))?;
        Ok(Self { server, provider })
    }

    fn kill(&mut self) {
        block_in_place(|| self.server.kill());
    }

    fn restart(&mut self) {
        block_in_place(|| self.server.restart());
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + 'a>>;

struct Case {
    capability: Capability,
    name: &'static str,
    run: for<'a> fn(&'a mut Outage) -> Running<'a>,
}

/// The table of the cases.
macro_rules! cases {
    ($($module:ident $capability:ident { $($case:ident)* })*) => {
        &[$($(Case {
            capability: Capability::$capability,
            name: stringify!($case),
            run: |outage| Box::pin($module::$case(outage)),
        }),*),*]
    };
}

const CASES: &[Case] = cases! {
    key_value KeyValue {
        acknowledged_entries_survive_an_outage
        increments_in_an_outage_count_once_or_are_unknown
    }
    blob Blob {
        a_write_in_an_outage_fails_and_the_object_stays
    }
    messaging Messaging {
        acknowledged_messages_survive_an_outage
        a_subscriber_goes_on_after_an_outage
        an_inbox_goes_on_after_an_outage
    }
};

/// Runs one case as a test, which is in `module` of `package`.
pub fn run(package: &str, module: &str, name: &str, start: Start) -> Outcome {
    let case = CASES.iter().find(|case| case.name == name);
    let case = case.ok_or_else(|| Failure::new(format!("there is no case {name}")))?;
    let outcome = suite::block_on(guarded(async {
        let mut outage = Outage::begin(start, case.capability).await?;
        (case.run)(&mut outage).await
    }));
    report::add(&report::provider(package, module), case.capability, name, &outcome)?;
    suite::verdict(outcome, format_args!("{} {name}", case.capability))
}
