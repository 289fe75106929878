use std::{fmt::Write, process::ExitCode};

use anyhow::Result;
use slight_capabilities::{Capability, ProviderKind, Routes};
use slight_config::Config;
use slight_runtime::{App, CodeCache, Import, Service, Trigger};

use crate::{
    args, builtin,
    output::{complain, print},
    providers,
    run::check_subscriptions,
    settings,
};

/// `slight check`: prints a table, and what would keep the app from starting.
pub async fn check(args: args::Check) -> Result<ExitCode> {
    let kinds = builtin::kinds();
    let config = settings::load(args.app.config.as_deref(), &kinds)?;
    let app = App::load(&args.app.component, &settings::limits(&config), &CodeCache::User)?;

    let mut report = Report::default();
    report.imports(&app, &config);
    report.triggers(&app, &config);
    report.providers(&app, &config, &kinds).await;
    print(&report.text)?;
    for problem in [app.check().err().map(anyhow::Error::from), check_subscriptions(&app, &config).err()] {
        report.problems.extend(problem.map(|problem| format!("{problem:#}")));
    }
    for problem in &report.problems {
        complain(problem);
    }
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[derive(Default)]
struct Report {
    text: String,
    problems: Vec<String>,
}

impl Report {
    fn imports(&mut self, app: &App, config: &Config) {
        let rows = app.imports().iter().map(|import| {
            let (route, provider) = served_by(import, config);
            [import.name.clone(), route, provider]
        });
        self.table(["import", "route", "provider"], rows.collect());
    }

    fn triggers(&mut self, app: &App, config: &Config) {
        let rows = app.triggers().into_iter().flat_map(|trigger| match trigger {
            Trigger::Command => vec![["wasi:cli/run".into(), "once, at the start".into(), String::new()]],
            Trigger::Http => vec![["wasi:http".into(), format!("http://{}/", config.http.listen), String::new()]],
            Trigger::Messages => config.subscriptions.iter().map(subscription).collect(),
        });
        self.table(["trigger", "on", "group"], rows.collect());
    }

    async fn providers(&mut self, app: &App, config: &Config, kinds: &[ProviderKind]) {
        let mut rows = Vec::new();
        for capability in Capability::ALL.into_iter().filter(|capability| uses(app, *capability)) {
            for section in providers::sections(config, capability) {
                let answer = match ask(config, kinds, section).await {
                    Ok(()) => "answers".to_owned(),
                    Err(error) => {
                        self.problems.push(format!("{error:#}"));
                        "does not answer".to_owned()
                    }
                };
                rows.push([providers::describe(config, section), capability.to_string(), answer]);
            }
        }
        self.table(["provider", "capability", "state"], rows);
    }

    fn table(&mut self, head: [&str; 3], rows: Vec<[String; 3]>) {
        if rows.is_empty() {
            return;
        }
        let head = head.map(str::to_owned);
        let width = |column: fn(&[String; 3]) -> &String| {
            std::iter::once(&head).chain(&rows).map(|row| column(row).chars().count()).max().unwrap_or_default()
        };
        let (first, second) = (width(|[first, ..]| first), width(|[_, second, _]| second));
        for [a, b, c] in std::iter::once(&head).chain(&rows) {
            let line = format!("{a:first$}  {b:second$}  {c}");
            // Writing to a string cannot fail.
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
        self.text.push('\n');
    }
}

fn subscription(subscription: &slight_config::Subscription) -> [String; 3] {
    let topics = format!("{} of {}", subscription.topics.join(", "), subscription.client);
    ["wasi:messaging".into(), topics, subscription.group.clone()]
}

/// The host serves on its own whatever no provider is asked for.
fn served_by(import: &Import, config: &Config) -> (String, String) {
    let own = |what: &str| (what.to_owned(), "slight".to_owned());
    match import.service {
        Some(Service::Provider(Capability::KeyValue)) => routed(&config.key_value, "key-value", config),
        Some(Service::Provider(Capability::Blob)) => routed(&config.blob, "blob", config),
        Some(Service::Provider(Capability::Messaging)) => routed(&config.messaging, "messaging", config),
        Some(Service::Config) => own("config of [component]"),
        Some(Service::Logging) => own("the log"),
        Some(Service::Http) => own("http"),
        Some(Service::Host) => own("the host"),
        None => ("not served".to_owned(), "-".to_owned()),
    }
}

fn routed(routes: &Routes<String>, table: &str, config: &Config) -> (String, String) {
    if routes.is_empty() {
        return (format!("none in [{table}]: every name is denied"), "-".to_owned());
    }
    let names: Vec<&str> = routes.iter().map(|(name, _)| name).collect();
    let mut sections: Vec<String> =
        routes.iter().map(|(_, route)| providers::describe(config, &route.provider)).collect();
    sections.dedup();
    (format!("{table}: {}", names.join(", ")), sections.join(", "))
}

fn uses(app: &App, capability: Capability) -> bool {
    app.imports().iter().any(|import| import.service == Some(Service::Provider(capability)))
}

async fn ask(config: &Config, kinds: &[ProviderKind], section: &str) -> Result<()> {
    providers::ping(config, providers::connect(config, kinds, section).await?.as_ref(), section).await
}
