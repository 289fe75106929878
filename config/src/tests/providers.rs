//! `[providers.X]`.

use std::path::PathBuf;

use serde_json::json;

use super::*;

#[test]
fn a_section_without_a_type_is_of_the_type_that_it_is_named_after() {
    let config = good("[providers.redis]\nurl = 'u'\n[providers.cache]\ntype = 'redis'\nurl = 'v'");
    assert_eq!(config.providers.get("redis").unwrap().kind, "redis");
    assert_eq!(config.providers.get("cache").unwrap().kind, "redis");
    assert_eq!(config.providers.get("cache").unwrap().settings, json!({ "url": "v" }));
}

#[test]
fn a_type_outweighs_the_name_of_the_section() {
    let config = good("[providers.file]\ntype = 'redis'\nurl = 'u'");
    assert_eq!(config.providers.get("file").unwrap().kind, "redis");
}

#[test]
fn a_type_may_come_from_a_reference() {
    let config = good("[providers.cache]\ntype = '${env:KIND}'\nurl = 'u'");
    assert_eq!(config.providers.get("cache").unwrap().kind, "redis");
}

#[test]
fn memory_needs_no_section() {
    assert_eq!(good("").providers.get("memory").unwrap().kind, "memory");
    assert_eq!(good("[providers.memory]").providers.len(), 1);
}

#[test]
fn a_section_that_is_named_after_no_type_needs_one() {
    assert_eq!(
        mistake("[providers.cache]\nurl = 'u'"),
        r#"1:12: [providers.cache] needs a "type", since "cache" is not one itself; the types are "memory", "redis", "azure" and "file""#
    );
    assert!(mistake("[providers.cache]\ntype = 3").ends_with("\"type\" must be a string"));
    assert!(mistake("providers.cache = 'redis'").ends_with("[providers.cache] must be a table with settings"));
}

#[test]
fn settings_are_checked_to_the_last_key() {
    let text = "[providers.redis]\nurl = 3\nmode = 'stuborn'\nregion = 'EU'\nservers = ['a', 2, 'c']\nshare = 1.5\nblob = { place = 'x' }";
    assert_eq!(
        mistakes(text),
        [
            r#"2:7: "url" must be a string, not an integer"#,
            r#"3:8: "mode" must be "once" or "stubborn", not "stuborn"; did you mean "stubborn"?"#,
            r#"4:10: "region" must be of the form "^[a-z]*$", not "EU""#,
            r#"5:11: "servers" must have at most 2 items"#,
            r#"5:17: an item of "servers" must be a string, not an integer"#,
            r#"6:9: "share" must be at most 1, not 1.5"#,
            r#"7:10: unknown key "place" in [providers.redis.blob]; the keys here are "key" and "location""#,
        ]
    );
}

#[test]
fn settings_that_are_missing_are_named() {
    assert_eq!(mistake("[providers.redis]"), r#"1:1: [providers.redis] needs the key "url""#);
}

/// What is on the disk.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct Local {
    /// Where it is.
    #[schemars(extend("format" = "path"))]
    path: PathBuf,
    /// Whom to trust.
    tls: Option<Tls>,
    /// No path.
    location: Option<String>,
}

/// Whom to trust.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct Tls {
    /// The certificates.
    #[schemars(extend("format" = "path"))]
    ca_file: Option<PathBuf>,
}

/// The settings of the section `local` of a file in a directory.
fn local(dir: &str, settings: &str) -> serde_json::Value {
    let text = format!("[providers.local]\n{settings}");
    let source = Source { name: "slight.toml", text: &text, dir: Path::new(dir), env: &env };
    let config = Config::parse(&source, &[kind::<Local>("local", &[Capability::Blob])]);
    config.unwrap_or_else(|mistakes| panic!("{mistakes}")).providers["local"].settings.clone()
}

#[test]
fn relative_paths_start_at_the_directory_of_the_file() {
    assert_eq!(
        local("/etc/slight", "path = 'data/x'\ntls = { ca-file = 'ca.pem' }\nlocation = 'data'"),
        json!({ "path": "/etc/slight/data/x", "tls": { "ca-file": "/etc/slight/ca.pem" }, "location": "data" })
    );
    assert_eq!(local("", "path = 'data'"), json!({ "path": "data" }));
    assert_eq!(local("/etc/slight", "path = '${env:SECRET}'"), json!({ "path": "/etc/slight/hunter2" }));
}

#[test]
fn absolute_paths_stay() {
    assert_eq!(local("/etc/slight", "path = '/var/x'"), json!({ "path": "/var/x" }));
}

#[cfg(unix)]
#[test]
fn paths_are_refused_where_the_directory_of_the_file_has_no_name_in_unicode() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let dir = Path::new(OsStr::from_bytes(b"/etc/\xff"));
    let parse = |text| {
        Config::parse(&Source { name: "t", text, dir, env: &env }, &[kind::<Local>("local", &[Capability::Blob])])
    };
    assert!(parse("providers.local.path = 'data'").unwrap_err().to_string().contains("UTF-8"));
    assert!(parse("").is_ok());
}
