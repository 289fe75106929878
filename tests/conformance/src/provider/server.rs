use std::{fmt::Display, sync::Arc};

use serde_json::Value;
use slight_capabilities::{Capability, Connect, ErrorKind, Provider, Result};
use tokio::time::timeout;

use super::{Scope, Section, locations::SOON};
use crate::check::{Failure, Outcome, described, equal, require};

/// The name of the setting that kinds with a server have.
const CONNECT: &str = "connect";

/// The section with settings that lead to nobody; `None` where the kind has no server.
pub(super) fn to_nobody(section: &Section, connect: &str) -> Outcome<Option<Section>> {
    if section.setting(&[CONNECT]).is_none() {
        return Ok(None);
    }
    let nobody = section.nobody.clone();
    let nobody =
        nobody.ok_or_else(|| Failure::new("expected settings that lead to nobody; see `Section::with_nobody`"))?;
    Ok(Some(connecting(&Section { settings: nobody, ..section.clone() }, connect)))
}

fn connecting(section: &Section, connect: &str) -> Section {
    let mut section = section.clone();
    if let Some(settings) = section.settings.as_object_mut() {
        settings.insert(CONNECT.to_owned(), Value::from(connect));
    }
    section
}

/// Requires an honest error, soon.
async fn is_away<T>(what: impl Display, call: impl Future<Output = Result<T>>) -> Outcome {
    match timeout(SOON, call).await {
        Err(_) => Err(Failure::new(format!("{what}: expected an answer within {SOON:?}, found none"))),
        Ok(Ok(_)) => Err(Failure::new(format!("{what}: expected Unavailable or Timeout, found success"))),
        Ok(Err(error)) => {
            let honest = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
            require(honest, format_args!("{what}: expected Unavailable or Timeout, found {}", described(&error)))
        }
    }
}

pub(super) async fn lazy_begins_without_the_server(scope: &Scope) -> Outcome {
    let section = scope.section()?;
    let Some(nobody) = to_nobody(&section, "lazy")? else { return Ok(()) };
    let provider = nobody.connect().await?;
    equal("when it connects", provider.connects(), Connect::Lazy)?;
    for capability in nobody.kind.capabilities {
        let prepared = timeout(SOON, provider.prepare(*capability)).await;
        prepared
            .map_err(|_| Failure::new(format!("expected prepare to ask nobody, found it waiting for {SOON:?}")))??;
    }
    is_away("ping", provider.ping()).await?;
    // Where the server is there, the first use makes what is missing.
    let provider = connecting(&section.elsewhere(), "lazy").connect().await?;
    for capability in section.kind.capabilities {
        provider.prepare(*capability).await?;
        let used = first_use(&provider, *capability).await;
        used.map_err(|error| Failure::from(error).within(format_args!("the first use of {capability}")))?;
    }
    Ok(())
}

async fn first_use(provider: &Arc<dyn Provider>, capability: Capability) -> Result<()> {
    let name = "name".into();
    match capability {
        Capability::KeyValue => match provider.key_value() {
            Some(store) => store.open(&name).await?.set("key", "value".into()).await,
            None => Ok(()),
        },
        Capability::Blob => match provider.blob() {
            Some(store) => {
                store.create(&name).await?;
                store.delete(&name).await
            }
            None => Ok(()),
        },
        Capability::Messaging => match provider.messaging() {
            Some(messaging) => {
                messaging.create_group(&name, "group").await?;
                messaging.delete_group(&name, "group").await
            }
            None => Ok(()),
        },
    }
}

pub(super) async fn a_server_that_is_away_is_said_so_soon(scope: &Scope) -> Outcome {
    let Some(nobody) = to_nobody(&scope.section()?, "eager")? else { return Ok(()) };
    let start = async {
        let provider = nobody.kind.connect(nobody.settings.clone()).await?;
        for capability in nobody.kind.capabilities {
            provider.prepare(*capability).await?;
        }
        Ok(())
    };
    is_away("connecting and preparing", start).await
}
