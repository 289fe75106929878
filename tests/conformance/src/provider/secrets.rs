use std::{error::Error as _, fmt::Write as _, iter::successors, sync::Arc};

use serde_json::{Map, Value, json};
use slight_capabilities::{Error, ErrorKind, Provider};

use super::{SECRET, Scope, Section, server::to_nobody};
use crate::check::{Outcome, refused, require};

/// All that is written of an error anywhere.
fn written(error: &Error) -> String {
    let mut text = format!("{error}\n{error:?}\n");
    for cause in successors(error.source(), |&cause| cause.source()) {
        // Writing to a string cannot fail.
        _ = write!(text, "{cause}\n{cause:?}\n");
    }
    text
}

fn shows_none(what: &str, error: &Error) -> Outcome {
    let shown = written(error).contains(SECRET);
    // Not what it said: this is written somewhere, too.
    require(!shown, format_args!("{what}: expected an error without the secret, found it in one of {:?}", error.kind()))
}

pub(super) async fn no_error_shows_a_secret(scope: &Scope) -> Outcome {
    let section = scope.section()?;
    require(!format!("{:?}", section.kind).contains(SECRET), "expected a kind without secrets in its debug form")?;
    do_not_fit(&section).await?;
    for connect in ["eager", "lazy"] {
        if let Some(nobody) = to_nobody(&section, connect)? {
            tell(&format!("{connect}, without the server"), &nobody).await?;
        }
    }
    // A server that takes no such password.
    for (name, setting) in properties(&section) {
        let leads_elsewhere = section
            .nobody
            .as_ref()
            .is_some_and(|nobody| nobody.get(&name).and_then(Value::as_str).is_some_and(|value| value != SECRET));
        if setting.get("writeOnly").is_some() && !leads_elsewhere {
            let mut wrong = section.elsewhere();
            if let Some(settings) = wrong.settings.as_object_mut() {
                settings.insert(name.clone(), SECRET.into());
            }
            tell(&format!("with a wrong {name}"), &wrong).await?;
        }
    }
    Ok(())
}

fn properties(section: &Section) -> Map<String, Value> {
    let properties = section.kind.schema.as_value().get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default()
}

/// Settings that cannot be read.
async fn do_not_fit(section: &Section) -> Outcome {
    let mut wrong = vec![json!({ SECRET: SECRET }), json!(SECRET)];
    for (name, _) in properties(section) {
        let mut settings = section.settings.clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.insert(name, json!({ SECRET: SECRET }));
        }
        wrong.push(settings);
    }
    for settings in wrong {
        let connected = section.kind.connect(settings).await;
        if let Err(error) = &connected {
            shows_none("settings that do not fit", error)?;
        }
        refused("settings that do not fit", connected.map(drop), ErrorKind::Invalid)?;
    }
    Ok(())
}

/// Connects and uses a section, and looks at every error.
async fn tell(when: &str, section: &Section) -> Outcome {
    let provider: Arc<dyn Provider> = match section.kind.connect(section.settings.clone()).await {
        Ok(provider) => provider,
        Err(error) => return shows_none(when, &error),
    };
    let mut errors = vec![provider.ping().await.err()];
    for capability in section.kind.capabilities {
        errors.push(provider.inspect(*capability).await.err());
        errors.push(provider.prepare(*capability).await.err());
    }
    let name = "name".into();
    if let Some(key_value) = provider.key_value() {
        match key_value.open(&name).await {
            Ok(bucket) => errors.push(bucket.get("key").await.err()),
            Err(error) => errors.push(Some(error)),
        }
    }
    if let Some(blob) = provider.blob() {
        errors.push(blob.exists(&name).await.err());
    }
    if let Some(messaging) = provider.messaging() {
        errors.push(messaging.delete_group(&name, "group").await.err());
    }
    errors.iter().flatten().try_for_each(|error| shows_none(when, error))
}
