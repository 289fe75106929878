//! What operators, other programs and failovers do to the objects that a provider keeps in its backend, and what comes of
//! it for those who use the provider.
//!
//! A provider's test has a table for each capability: an object, what happens to it, and a function that does it by the
//! backend's own means. Each row is tried at rest and under load, with names of its own: while it happens calls may fail
//! with honest errors; then the provider is whole again within [`BOUND`], nothing that was acknowledged afterwards is lost,
//! and of what was there before no more is lost than the row says. The tables become part of the provider's page.

mod blob;
mod files;
mod key_value;
mod messaging;
mod observed;
mod page;

use std::{path::Path, pin::Pin, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use slight_capabilities::{Capability, Provider, QualifiedName};

pub use self::files::{done, remove_directory};
use self::observed::Observed;
use crate::{
    case::guarded,
    check::{Failure, Outcome},
    names::unique,
    report, suite,
};

/// The longest that a provider may take to be whole again, on a busy machine.
pub const BOUND: Duration = Duration::from_secs(20);

/// How many rows are tried at a time: most of the time is waiting.
const AT_ONCE: usize = 6;

/// The names that a row is tried with: nobody else uses them.
#[derive(Debug, Clone)]
pub struct Names {
    /// The bucket, the container, or the topic that it happens to.
    pub name: QualifiedName,
    /// Another of the same kind, which goes on unless the row is [`everywhere`](Disruption::everywhere).
    pub neighbour: QualifiedName,
    /// The group that is subscribed to both topics.
    pub group: String,
    /// A group of both topics that nobody is subscribed to while it happens: all messages wait in it.
    pub waiting_group: String,
}

/// What a row is tried on.
pub struct Stage<B> {
    /// The provider, connected. The suite calls [`Provider::prepare`].
    pub provider: Arc<dyn Provider>,
    /// The test's own way to the backend.
    pub backend: B,
}

/// A stage of one row's own, or why there is none: which server is not on this machine, and how to get it.
pub type Starting<B> = Pin<Box<dyn Future<Output = Result<Stage<B>, String>> + Send>>;

/// Something done to a backend; an error fails the test.
pub type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

type Act<B> = for<'a> fn(&'a B, &'a Names) -> Doing<'a>;

/// What a row may cost of what was there when it happened. What is acknowledged later is never lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    Nothing,
    /// Messages that no handler had acknowledged yet; entries and objects that the object held.
    WhatItHeld,
}

/// One row: an object in the backend, and what happens to it.
pub struct Disruption<B: 'static> {
    object: &'static str,
    action: &'static str,
    act: Act<B>,
    undo: Option<Act<B>>,
    loss: Loss,
    everywhere: bool,
}

impl<B> Disruption<B> {
    /// `act` does `action` to `object` of [`Names::name`], by the backend's own means. Nothing may be lost, and the
    /// neighbour must not notice.
    pub const fn new(object: &'static str, action: &'static str, act: Act<B>) -> Self {
        Self { object, action, act, undo: None, loss: Loss::Nothing, everywhere: false }
    }

    /// What the object held is gone with it.
    #[must_use]
    pub const fn loses_what_it_held(mut self) -> Self {
        self.loss = Loss::WhatItHeld;
        self
    }

    /// It happens to the neighbour as well: a server that is emptied, an object that all share.
    #[must_use]
    pub const fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    /// The provider cannot mend it, and says so, until the operator does this: what is not ours is in the place of what is.
    #[must_use]
    pub const fn until(mut self, undo: Act<B>) -> Self {
        self.undo = Some(undo);
        self
    }
}

/// When it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    AtRest,
    UnderLoad,
}

/// A row while it is tried.
struct Trial<'a, B: 'static> {
    row: &'a Disruption<B>,
    when: When,
    stage: Stage<B>,
    names: Names,
}

impl<B> Trial<'_, B> {
    /// Does it.
    async fn disrupt(&self) -> Outcome {
        (self.row.act)(&self.stage.backend, &self.names).await.map_err(Failure::new)
    }

    /// Undoes it, where the provider cannot.
    async fn undo(&self) -> Outcome {
        match self.row.undo {
            None => Ok(()),
            Some(undo) => undo(&self.stage.backend, &self.names).await.map_err(Failure::new),
        }
    }
}

/// Tries the rows of a table as one test of a provider.
///
/// # Errors
/// As [`check`].
pub fn run<B: Send + Sync + 'static>(
    capability: Capability,
    package: &str,
    module: &str,
    page: &Path,
    start: fn() -> Starting<B>,
    table: &'static [Disruption<B>],
) -> Outcome {
    let name = format!("disruptions_of_{}", capability.name().replace('-', "_"));
    let outcome = check(capability, page, start, table);
    report::add(&report::provider(package, module), capability, &name, &outcome)?;
    suite::verdict(outcome, format_args!("{capability} {name}"))
}

/// Tries the rows of a table, and requires that the page has it. With the environment variable `SLIGHT_WRITE_DOCS` set,
/// the page gets it, with what was observed.
///
/// # Errors
/// All rows that failed.
pub fn check<B: Send + Sync + 'static>(
    capability: Capability,
    page: &Path,
    start: fn() -> Starting<B>,
    table: &'static [Disruption<B>],
) -> Outcome {
    suite::block_on(async {
        let rows = try_all(capability, start, table).await?;
        page::check(page, capability, &rows)
    })
}

/// What was observed of a row.
struct Tried {
    object: &'static str,
    action: &'static str,
    loss: Loss,
    mended_by_hand: bool,
    at_rest: Observed,
    under_load: Observed,
}

async fn try_all<B: Send + Sync + 'static>(
    capability: Capability,
    start: fn() -> Starting<B>,
    table: &'static [Disruption<B>],
) -> Outcome<Vec<Tried>> {
    let trying = table.iter().map(|row| async move {
        let at_rest = try_one(capability, start, row, When::AtRest).await?;
        let under_load = try_one(capability, start, row, When::UnderLoad).await?;
        let Disruption { object, action, loss, .. } = *row;
        Ok(Tried { object, action, loss, mended_by_hand: row.undo.is_some(), at_rest, under_load })
    });
    let tried: Vec<Outcome<Tried>> = stream::iter(trying).buffered(AT_ONCE).collect().await;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for one in tried {
        match one {
            Ok(row) => rows.push(row),
            Err(skipped) if skipped.is_skip() => return Err(skipped),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    match failures.is_empty() {
        true => Ok(rows),
        false => Err(Failure::new(format!("{} of {} rows:\n{}", failures.len(), table.len(), failures.join("\n")))),
    }
}

async fn try_one<B: Send + Sync + 'static>(
    capability: Capability,
    start: fn() -> Starting<B>,
    row: &Disruption<B>,
    when: When,
) -> Outcome<Observed> {
    let mut observed = None;
    let trying = async {
        let stage = start().await.map_err(Failure::skipped)?;
        let prepared = stage.provider.prepare(capability).await;
        prepared.map_err(|error| Failure::from(error).within("preparing"))?;
        let name = || unique().as_str().into();
        let names = Names { name: name(), neighbour: name(), group: "group".into(), waiting_group: "waiting".into() };
        let trial = Trial { row, when, stage, names };
        observed = Some(match capability {
            Capability::KeyValue => key_value::try_on(&trial).await?,
            Capability::Blob => blob::try_on(&trial).await?,
            Capability::Messaging => messaging::try_on(&trial).await?,
        });
        Ok(())
    };
    let told = |failure: Failure| failure.within(format_args!("{}, {} ({when:?})", row.object, row.action));
    guarded(trying).await.map_err(told)?;
    observed.ok_or_else(|| Failure::new("nothing was observed"))
}
