//! Servers that several processes of `slight` share. A test on them runs on each.

use slight_services::{Kind, Missing, Server};

/// A server, and the provider to reach it with.
pub struct Backend {
    kind: &'static Kind,
    provider: &'static str,
    /// Has it keep what it has acknowledged, whatever happens to it.
    durable: &'static [&'static str],
}

pub const REDIS: Backend = Backend {
    kind: &slight_services::REDIS,
    provider: "redis",
    durable: &["--appendonly", "yes", "--appendfsync", "always"],
};

pub const NATS: Backend = Backend { kind: &slight_services::NATS, provider: "nats", durable: &[] };

/// A test of each name for each server, from functions that take a [`Backend`].
macro_rules! on_every_server {
    ($($test:ident)*) => {
        crate::servers::tests_on! { nats NATS $($test)* }
        crate::servers::tests_on! { redis REDIS $($test)* }
    };
}
pub(crate) use on_every_server;

macro_rules! tests_on {
    ($module:ident $backend:ident $($test:ident)*) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(&crate::servers::$backend).await;
                }
            )*
        }
    };
}
pub(crate) use tests_on;

impl Backend {
    /// A server that is no other test's.
    pub fn start(&self) -> Result<Server, Missing> {
        Server::start(self.kind, self.durable)
    }

    /// Has every bucket and every messaging client there; `messaging` is what else stands in that table.
    pub fn toml(&self, server: &Server, messaging: &str) -> String {
        let (provider, url) = (self.provider, server.url());
        format!(
            r#"
            limits = {{ backend-timeout = "5s" }}
            providers.{provider}.url = "{url}"
            key-value = {{ "*" = "{provider}" }}

            [messaging]
            "*" = "{provider}"
            {messaging}
            "#
        )
    }
}
