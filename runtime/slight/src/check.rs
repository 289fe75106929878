use std::{collections::BTreeMap, io::ErrorKind, process::ExitCode, sync::Arc};

use anyhow::Result;
use slight_capabilities::{Capability, Provider, Readiness};
use slight_config::Config;
use slight_runtime::{App, CodeCache, HostError, Trigger};

use crate::{
    Kinds,
    args::{self, LogFormat},
    databases, imports,
    memory::Memory,
    output::{complain, print, warn},
    providers, settings, subscriptions,
    table::table,
};

/// `slight check`: prints tables, and what would keep the app from starting.
pub async fn check(kinds: Kinds, args: args::App, format: LogFormat) -> Result<ExitCode> {
    let config = settings::load(&args, &kinds)?;
    databases::check_apart(&config, &kinds)?;
    let mut app = App::load(&args.component, &settings::limits(&config), &CodeCache::User)?;
    settings::choose_triggers(&mut app, &config, &args.triggers());

    // Without a file all leads to memory, which is worth a row only where it is used.
    let capabilities = Capability::ALL.into_iter();
    let capabilities = capabilities.filter(|capability| args.config.is_some() || imports::uses(&app, *capability));
    let capabilities: Vec<Capability> = capabilities.collect();

    let mut report = Report { kinds, text: String::new(), problems: Vec::new() };
    let imports = imports::rows(&app, &config, &capabilities);
    report.text.push_str(&table(["import", "route", "provider", "with"], &imports));
    report.triggers(&app, &config);
    report.providers(capabilities, &config).await;
    let memory = Memory::of(config.limits.total_memory).described;
    report.text.push_str(&table(["limit", "is"], &[["total-memory".to_owned(), memory]]));
    print(&report.text)?;
    for problem in [app.check().err().map(anyhow::Error::from), subscriptions::check(&app, &config).err()] {
        report.problems.extend(problem);
    }
    if app.has(Trigger::Http) {
        report.address(&config.http, format);
    }
    report.problems.iter().for_each(|problem| complain(format, problem));
    imports::denials(&app, &config)
        .iter()
        .chain(&subscriptions::uncalled(&app))
        .for_each(|denial| warn(format, denial));
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Report {
    kinds: Kinds,
    text: String,
    problems: Vec<anyhow::Error>,
}

/// A connected section, or the state of one that could not be, whose error was told.
type Connected = Result<Arc<dyn Provider>, String>;

impl Report {
    fn triggers(&mut self, app: &App, config: &Config) {
        let rows = app.triggers().iter().flat_map(|trigger| match trigger {
            Trigger::Command => vec![trigger_row(*trigger, "once, at the start")],
            Trigger::Http => vec![trigger_row(*trigger, &format!("http://{}/", config.http.listen))],
            Trigger::Messages => config.subscriptions.iter().map(subscription).collect(),
        });
        let spare = app.spare_triggers().map(|trigger| {
            let why = if trigger == Trigger::Command { "handlers go first" } else { "not chosen" };
            trigger_row(trigger, &format!("does not run: {why}; --trigger {} runs it", trigger.name()))
        });
        let rows: Vec<[String; 3]> = rows.chain(spare).collect();
        self.text.push_str(&table(["trigger", "on", "group"], &rows));
    }

    async fn providers(&mut self, capabilities: Vec<Capability>, config: &Config) {
        let (mut rows, mut connected) = (Vec::new(), BTreeMap::<&str, Connected>::new());
        for capability in capabilities {
            for section in providers::sections(config, capability) {
                if !connected.contains_key(section) {
                    let provider = providers::connect(config, &self.kinds, section).await;
                    connected.insert(section, provider.map_err(|error| self.failed(config, section, error)));
                }
                let state = match connected.get(section) {
                    Some(Ok(provider)) => self.state(config, provider.as_ref(), section, capability).await,
                    Some(Err(state)) => state.clone(),
                    None => "not ready".to_owned(),
                };
                rows.push([providers::describe(config, section), capability.to_string(), state]);
            }
        }
        rows.extend(unrouted(config).map(|section| {
            [providers::describe(config, section), "-".to_owned(), "not used: no route leads to it".to_owned()]
        }));
        self.text.push_str(&table(["provider", "capability", "state"], &rows));
    }

    async fn state(
        &mut self,
        config: &Config,
        provider: &dyn Provider,
        section: &str,
        capability: Capability,
    ) -> String {
        match providers::inspect(config, provider, section, capability).await {
            Ok(Readiness::Ready) => "answers".to_owned(),
            Ok(Readiness::ToBeCreated(what)) => format!("would be created: {what}"),
            Err(error) => self.failed(config, section, error),
        }
    }

    /// Notes an error, and gives the state of the section. A database of this machine has nobody to answer: it is open in
    /// another process, or cannot be opened at all.
    fn failed(&mut self, config: &Config, section: &str, error: anyhow::Error) -> String {
        let database =
            config.providers.get(section).and_then(|declared| databases::database(declared, &self.kinds)).is_some();
        let state = match (providers::is_outage(&error), database) {
            (false, _) => "not ready".to_owned(),
            (true, false) => "does not answer".to_owned(),
            (true, true) => {
                let told = providers::said(&error);
                format!("not ready: {}", told.split(';').next().unwrap_or(&told))
            }
        };
        self.problems.push(error);
        state
    }

    /// One that is in use may be that of the copy which is to be replaced.
    fn address(&mut self, http: &slight_config::Http, format: LogFormat) {
        // As a start would, for no longer than it takes, and without a client noticing.
        let address = http.listen;
        let Err(reason) = slight_runtime::socket(address, http.reuse_port) else { return };
        let in_use = reason.kind() == ErrorKind::AddrInUse;
        let refusal = HostError::Listen { address, reason };
        if in_use {
            warn(format, &refusal.to_string());
        } else {
            self.problems.push(refusal.into());
        }
    }
}

fn trigger_row(trigger: Trigger, on: &str) -> [String; 3] {
    let interface = match trigger {
        Trigger::Command => "wasi:cli/run",
        Trigger::Http => "wasi:http",
        Trigger::Messages => "wasi:messaging",
    };
    [interface.to_owned(), on.to_owned(), String::new()]
}

fn subscription(subscription: &slight_config::Subscription) -> [String; 3] {
    let topics = format!("{} of {}", subscription.topics.join(", "), subscription.client);
    ["wasi:messaging".into(), topics, subscription.group.clone()]
}

/// The sections that no route leads to. `memory` is always there.
fn unrouted(config: &Config) -> impl Iterator<Item = &str> {
    let routed: Vec<&str> = Capability::ALL.into_iter().flat_map(|one| providers::sections(config, one)).collect();
    let sections = config.providers.keys().map(String::as_str);
    sections.filter(move |section| *section != "memory" && !routed.contains(section))
}
