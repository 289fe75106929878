//! Cases of a server that ends and comes back: what it acknowledged is there, what it did not is said to be so.

mod blob;
mod key_value;
mod load;
mod messaging;
mod silence;

use std::{pin::Pin, sync::Arc};

use slight_capabilities::{Capability, Connected, Provider};
use tokio::task::block_in_place;

use crate::{
    case::guarded,
    check::{Failure, Outcome},
    report, suite,
};

/// A server of one case's own, on storage that keeps what it acknowledged.
pub struct Killable(Box<dyn Restart>);

impl Killable {
    /// A server, and how to connect a provider to it, to end it (at once, if what it acknowledged survives that), and to
    /// start it again in the same place and with the same data, and wait until it answers.
    ///
    /// The suite calls [`Provider::prepare`]; an error of connecting fails the case.
    pub fn new<Server: Send + Sync + 'static>(
        server: Server,
        connect: fn(&Server) -> Connected,
        kill: fn(&mut Server),
        restart: fn(&mut Server),
    ) -> Self {
        Self(Box::new(Parts { server, connect, kill, restart, silence: None }))
    }

    /// The same, and how to have the server be silent: it takes connections and calls, and answers none, until it goes on.
    /// Without these the cases of a silent server are skipped.
    pub fn silenced<Server: Send + Sync + 'static>(
        server: Server,
        connect: fn(&Server) -> Connected,
        [kill, restart, pause, resume]: [fn(&mut Server); 4],
    ) -> Self {
        Self(Box::new(Parts { server, connect, kill, restart, silence: Some(Silence { pause, resume }) }))
    }
}

trait Restart: Send + Sync {
    fn connect(&self) -> Connected;
    fn kill(&mut self);
    fn restart(&mut self);
    /// False where it cannot.
    fn pause(&mut self) -> bool;
    fn resume(&mut self);
}

struct Parts<Server> {
    server: Server,
    connect: fn(&Server) -> Connected,
    kill: fn(&mut Server),
    restart: fn(&mut Server),
    silence: Option<Silence<Server>>,
}

struct Silence<Server> {
    pause: fn(&mut Server),
    resume: fn(&mut Server),
}

impl<Server: Send + Sync> Restart for Parts<Server> {
    fn connect(&self) -> Connected {
        (self.connect)(&self.server)
    }

    fn kill(&mut self) {
        (self.kill)(&mut self.server);
    }

    fn restart(&mut self) {
        (self.restart)(&mut self.server);
    }

    fn pause(&mut self) -> bool {
        self.silence.as_ref().map(|silence| (silence.pause)(&mut self.server)).is_some()
    }

    fn resume(&mut self) {
        if let Some(Silence { resume, .. }) = self.silence {
            resume(&mut self.server);
        }
    }
}

/// Starts a server; or says which is not on this machine, and how to get it.
pub type Start = fn() -> std::result::Result<Killable, String>;

/// A server that was started, and a provider on it.
struct Outage {
    server: Killable,
    provider: Arc<dyn Provider>,
}

impl Outage {
    async fn begin(start: Start, capability: Capability) -> Outcome<Self> {
        let server = block_in_place(start).map_err(Failure::skipped)?;
        let provider = server.0.connect().await.map_err(|error| Failure::from(error).within("connecting"))?;
        provider.prepare(capability).await.map_err(|error| Failure::from(error).within("preparing"))?;
        Ok(Self { server, provider })
    }

    fn kill(&mut self) {
        block_in_place(|| self.server.0.kill());
    }

    fn restart(&mut self) {
        block_in_place(|| self.server.0.restart());
    }

    fn pause(&mut self) -> Outcome {
        match block_in_place(|| self.server.0.pause()) {
            true => Ok(()),
            false => Err(Failure::skipped("the test has no way to silence its server; see `Killable::silenced`")),
        }
    }

    fn resume(&mut self) {
        block_in_place(|| self.server.0.resume());
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
    silence KeyValue {
        calls_on_keys_of_a_silent_server_end_in_time
    }
    blob Blob {
        a_write_in_an_outage_fails_and_the_object_stays
    }
    silence Blob {
        calls_on_objects_of_a_silent_server_end_in_time
    }
    messaging Messaging {
        acknowledged_messages_survive_an_outage
        a_subscriber_goes_on_after_an_outage
        an_inbox_goes_on_after_an_outage
    }
    silence Messaging {
        calls_on_topics_of_a_silent_server_end_in_time
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
