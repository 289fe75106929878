//! The page of the provider says what holds.

use std::{env::VarError, path::Path};

use serde_json::json;
use slight_capabilities::{Capability, Result};
use slight_config::{Config, Source, settings_table};
use slight_provider_file::kind;

const PAGE: &str = include_str!("../../../docs/providers/file.md");

#[test]
fn the_page_has_the_table_of_the_settings() {
    let table = settings_table(kind().schema.as_value());
    assert!(PAGE.contains(&table), "docs/providers/file.md needs this table:\n\n{table}");
}

#[tokio::test]
async fn the_toml_of_the_page_works() -> Result<()> {
    let text = PAGE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a TOML");
    let env = |_: &str| Err(VarError::NotPresent);
    let config = Config::parse(&Source { name: "page.toml", text, dir: Path::new("."), env: &env }, &[kind()]);
    let config = config.expect("a configuration without mistakes");
    assert!(config.blob.find("any name").is_some());

    let mut settings = config.providers["local"].settings.clone();
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary directory");
    settings["path"] = json!(directory.path().join("data"));
    let provider = kind().connect(settings).await?;
    for capability in Capability::ALL.into_iter().filter(|capability| kind().offers(*capability)) {
        provider.prepare(capability).await?;
    }
    provider.ping().await
}
