//! From the configuration to what the runtime takes.

use std::net::TcpListener;

use anyhow::{Result, anyhow};
use slight_capabilities::Secret;
use slight_config::Config;
use slight_runtime::{
    App, Environment, HttpSettings, Limits, Listen, MountedDirectory, OutboundPolicy, Reuse, Subscription, Trigger,
};

use crate::{Kinds, args, memory::Memory, subscriptions};

/// Reads the configuration, or takes the one that holds without a file; what the command line says holds in place of it.
pub fn load(args: &args::App, kinds: &Kinds) -> Result<Config> {
    let mut config = match &args.config {
        Some(path) => Config::load(path, kinds).map_err(|mistakes| anyhow!("{mistakes}"))?,
        None => Config::without_file(),
    };
    config.http.listen = args.listen.unwrap_or(config.http.listen);
    if !args.subscribe.is_empty() {
        config.subscriptions.push(subscriptions::of_command_line(&args.subscribe)?);
    }
    Ok(config)
}

/// Chooses what the component runs on; `chosen` holds in place of the file.
pub fn choose_triggers(app: &mut App, config: &Config, chosen: &[Trigger]) {
    let named: Vec<Trigger> = match chosen.is_empty() {
        true => config.component.triggers.iter().map(|trigger| trigger_of(*trigger)).collect(),
        false => chosen.to_vec(),
    };
    if !named.is_empty() {
        app.choose(&named);
    }
}

fn trigger_of(named: slight_config::Trigger) -> Trigger {
    match named {
        slight_config::Trigger::Command => Trigger::Command,
        slight_config::Trigger::Http => Trigger::Http,
        slight_config::Trigger::Messaging => Trigger::Messages,
    }
}

/// The limits, in the runtime's units.
pub fn limits(config: &Config) -> Limits {
    let limits = &config.limits;
    Limits {
        memory: size(limits.memory),
        total_memory: Memory::of(limits.total_memory).total,
        timeout: limits.timeout,
        backend_timeout: limits.backend_timeout,
        connections: size(limits.connections.into()),
        concurrency: size(limits.concurrency.into()),
        queue: size(limits.queue.into()),
        drain_timeout: limits.drain_timeout,
        value: size(limits.value),
        message: size(limits.message),
        body: limits.body,
        returned: size(limits.returned),
        passed: size(limits.passed),
        log_lines: limits.log_lines,
        spool: limits.spool,
        handles: size(limits.handles.into()),
    }
}

/// What cannot be addressed is no limit.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// What the guest finds around it. Variables of `env` win over the file's; `args` follow the name of the program.
pub fn environment(config: &Config, env: Vec<(String, String)>, program: String, args: Vec<String>) -> Environment {
    let component = &config.component;
    let given = env.into_iter().map(|(name, value)| (name, Secret::new(value)));
    let env = component.env.clone().into_iter().chain(given).collect();
    let outbound = component.http_outbound.clone();
    let files = component.files.iter().map(|directory| MountedDirectory {
        guest: directory.guest.clone(),
        host: directory.host.clone(),
        read_only: directory.read_only,
    });
    Environment {
        args: std::iter::once(program).chain(args).collect(),
        env,
        files: files.collect(),
        http_outbound: OutboundPolicy::new(move |scheme, host, port| outbound.allows(scheme, host, port)),
    }
}

/// What is delivered to the component's message handler.
pub fn subscriptions(config: &Config) -> Vec<Subscription> {
    let subscriptions = config.subscriptions.iter().cloned();
    subscriptions
        .map(|subscription| Subscription {
            client: subscription.client,
            topics: subscription.topics,
            group: subscription.group,
            capacity: size(subscription.capacity.into()),
            visibility: subscription.visibility,
            max_deliveries: subscription.max_deliveries,
            dead_letter: subscription.dead_letter,
        })
        .collect()
}

/// How HTTP is served; on the socket that was inherited, if there is one.
pub fn http(config: &Config, inherited: Option<TcpListener>) -> HttpSettings {
    let http = &config.http;
    let listen = match inherited {
        Some(listener) => Listen::Inherited(listener),
        None => Listen::Address { address: http.listen, reuse_port: http.reuse_port },
    };
    let (requests, at_a_time) = (size(http.reuse.requests.into()), size(http.reuse.at_a_time.into()));
    HttpSettings {
        listen,
        reuse: Reuse { requests, at_a_time },
        idle_timeout: http.idle_timeout,
        shutdown_delay: http.shutdown_delay,
    }
}
