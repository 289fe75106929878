use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Result;
use slight_capabilities::{Capability, Provider, ProviderKind, Readiness};
use slight_config::Config;
use slight_runtime::{App, CodeCache, HostError, Trigger};
use tokio::net::TcpSocket;

use crate::{
    args::{self, LogFormat},
    builtin, imports,
    memory::Memory,
    output::{complain, print, warn},
    providers,
    run::{check_subscriptions, uncalled},
    settings,
    table::table,
};

/// `slight check`: prints tables, and what would keep the app from starting.
pub async fn check(args: args::App, format: LogFormat) -> Result<ExitCode> {
    let kinds = builtin::kinds();
    let config = settings::load(&args, &kinds)?;
    let app = App::load(&args.component, &settings::limits(&config), &CodeCache::User)?;

    // Without a file all leads to memory, which is worth a row only where it is used.
    let capabilities = Capability::ALL.into_iter();
    let capabilities = capabilities.filter(|capability| args.config.is_some() || imports::uses(&app, *capability));
    let capabilities: Vec<Capability> = capabilities.collect();

    let mut report = Report::default();
    let imports = imports::rows(&app, &config, &capabilities);
    report.text.push_str(&table(["import", "route", "provider", "with"], &imports));
    report.triggers(&app, &config);
    report.providers(capabilities, &config, &kinds).await;
    let memory = Memory::of(config.limits.total_memory).described;
    report.text.push_str(&table(["limit", "is"], &[["total-memory".to_owned(), memory]]));
    print(&report.text)?;
    for problem in [app.check().err().map(anyhow::Error::from), check_subscriptions(&app, &config).err()] {
        report.problems.extend(problem);
    }
    if app.has(Trigger::Http) {
        report.address(config.http.listen, format);
    }
    report.problems.iter().for_each(|problem| complain(format, problem));
    imports::denials(&app, &config).iter().chain(&uncalled(&app)).for_each(|denial| warn(format, denial));
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Report {
    text: String,
    problems: Vec<anyhow::Error>,
}

/// A connected section; none if it could not be, which was told.
type Connected = Option<Arc<dyn Provider>>;

impl Report {
    fn triggers(&mut self, app: &App, config: &Config) {
        let rows = app.triggers().into_iter().flat_map(|trigger| match trigger {
            Trigger::Command => vec![["wasi:cli/run".into(), "once, at the start".into(), String::new()]],
            Trigger::Http => vec![["wasi:http".into(), format!("http://{}/", config.http.listen), String::new()]],
            Trigger::Messages => config.subscriptions.iter().map(subscription).collect(),
        });
        let rows: Vec<[String; 3]> = rows.collect();
        self.text.push_str(&table(["trigger", "on", "group"], &rows));
    }

    async fn providers(&mut self, capabilities: Vec<Capability>, config: &Config, kinds: &[ProviderKind]) {
        let (mut rows, mut connected) = (Vec::new(), BTreeMap::<&str, Connected>::new());
        for capability in capabilities {
            for section in providers::sections(config, capability) {
                if !connected.contains_key(section) {
                    let provider = providers::connect(config, kinds, section).await;
                    connected.insert(section, provider.map_err(|error| self.problems.push(error)).ok());
                }
                let provider = connected.get(section).cloned().flatten();
                let state = match provider {
                    Some(provider) => self.state(config, provider.as_ref(), section, capability).await,
                    None => NO_ANSWER.to_owned(),
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
            Err(error) => {
                let state = if providers::is_outage(&error) { NO_ANSWER } else { "not ready" };
                self.problems.push(error);
                state.to_owned()
            }
        }
    }

    /// One that is in use may be that of the copy which is to be replaced.
    fn address(&mut self, address: SocketAddr, format: LogFormat) {
        let Err(reason) = bind(address) else { return };
        let in_use = reason.kind() == ErrorKind::AddrInUse;
        let refusal = HostError::Listen { address, reason };
        if in_use {
            warn(format, &refusal.to_string());
        } else {
            self.problems.push(refusal.into());
        }
    }
}

/// Takes an address as a start would, for no longer than it takes, and without a client noticing.
fn bind(address: SocketAddr) -> io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(!cfg!(windows))?;
    socket.bind(address)
}

const NO_ANSWER: &str = "does not answer";

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
