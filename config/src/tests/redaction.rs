//! Secrets are in no message and in no `Debug`.

use super::*;

/// A secret as it is in the file itself.
const LITERAL: &str = "swordfish";

/// Everything that a text can make the crate print.
fn all_output(text: &str) -> String {
    match parse(text) {
        Ok(config) => {
            format!("{config:?} {config:#?} {:?} {:?} {:?}", config.providers, config.component, config.subscriptions)
        }
        Err(mistakes) => format!("{mistakes} {mistakes:?}"),
    }
}

#[track_caller]
fn assert_silent(text: &str) {
    let output = all_output(text);
    for secret in [INSERTED, LITERAL] {
        assert!(!output.contains(secret), "{output}");
    }
    assert!(!output.is_empty());
}

#[test]
fn debug_shows_the_file_with_secrets_masked() {
    let config = good(
        "[providers.redis]\nurl = 'redis://:swordfish@x'\nregion = 'eu'\nblob = { key = '${env:SECRET}' }\n[component]\nenv = { A = 'swordfish' }",
    );
    assert_eq!(
        format!("{config:?}"),
        r#"Config({"component":{"env":{"A":"***"}},"providers":{"redis":{"blob":{"key":"${env:SECRET}"},"region":"eu","url":"***"}}})"#
    );
}

#[test]
fn inserted_values_are_never_shown() {
    for text in [
        "[providers.redis]\nurl = '${env:SECRET}'",
        "[providers.redis]\nurl = '${env:SECRET}'\nregion = '${env:SECRET}'",
        "[providers.redis]\nurl = 'x'\nmode = '${env:SECRET}'",
        "[providers.redis]\nurl = 'x'\nregion = '${env:SECRET}'\nservers = ['${env:SECRET}']",
        "[providers.redis]\nurl = 'x'\ndatabase = '${env:SECRET}'",
        "[providers.redis]\ntype = '${env:SECRET}'",
        "http.listen = '${env:SECRET}'",
        "limits.memory = '${env:SECRET}'",
        "limits.timeout = '${env:SECRET}'",
        "limits.queue = '${env:SECRET}'",
        "key-value.a = '${env:SECRET}'",
        "key-value.a = { provider = '${env:SECRET}', access = '${env:SECRET}' }",
        "key-value.a = { provider = 'memory', prefix = '/${env:SECRET}' }",
        "messaging.a = { provider = 'memory', groups = [{ topic = '${env:SECRET}', group = '${env:SECRET}' }, { topic = '${env:SECRET}', group = '${env:SECRET}' }] }",
        "[[messaging.subscriptions]]\nclient = '${env:SECRET}'\ntopics = ['${env:SECRET}', '${env:SECRET}']\ngroup = '${env:SECRET}'",
        "component.http-outbound = ['${env:SECRET}', 'https://${env:SECRET}/']",
        "component.files = [{ guest = '${env:SECRET}', host = '/${env:SECRET}' }]",
        "component.env = { A = '${env:SECRET}' }\ncomponent.config = { b = 'x${env:SECRET}' }",
        "component.env = { A = '${env:SECRET}' }\nunknown = '${env:SECRET}'",
    ] {
        assert_silent(text);
    }
}

#[test]
fn secrets_in_the_file_itself_are_never_shown() {
    for text in [
        "[providers.redis]\nurl = 'swordfish'",
        "providers.redis = { url = 'swordfish', ulr = 1 }",
        "providers.redis = { ulr = 1, url = 'swordfish' }",
        "providers.redis = { url = ['swordfish'] }",
        "providers.redis = { url = { user = 'swordfish' } }",
        "providers.redis = { url = '''\nswordfish''', blob = 3 }",
        "providers.redis = { url = 'x', blob = 'swordfish' }",
        "providers.redis = { url = 'x', blob = { key = 'swordfish', kye = 'swordfish' } }",
        "providers.redis = { url = 'x', token = 'swordfish' }",
        "providers.redis = 'swordfish'",
        "providers = ['swordfish']",
        "[providers.redis]\nulr = 'swordfish'",
        "[providers.redsi]\nurl = 'swordfish'",
        "[providers.redsi]\nurl = 'swordfish' # and a type\ntype = 'x'",
        "providers.x = { type = 'y', url = 'swordfish' }",
        "[provider.redis]\nurl = 'swordfish'",
        "provider = { redis = { url = 'swordfish' } }",
        "[providers.redis]\nurl = 'swordfish",
        "[providers.redis]\nurl = swordfish",
        "[providers.redis]\nurl = 'x' 'swordfish'",
        "[providers.redis]\nurl = 'sword${fish'",
        "[providers.redis]\nurl = 'swordfish${env:UNSET}'",
        "[providers.redis]\nurl = '${swordfish}'",
        "component = { env = { A = 'swordfish', B = 3 } }",
        "component = { config = { a = 'swordfish' }, evn = {} }",
        "component = { env = 'swordfish' }",
        "component = { env = { A = ['swordfish'] } }",
    ] {
        assert_silent(text);
    }
}

#[test]
fn a_reference_to_a_secret_is_shown_where_it_is_wrong() {
    let shown = parse("[providers.redis]\nurl = '${env:UNSET}'").unwrap_err().to_string();
    let expected = "slight.toml:2:8: the environment variable \"UNSET\" is not set\n 2 | url = '${env:UNSET}'\n   |        ^^^^^^^^^^^^";
    assert_eq!(shown, expected);
}

#[test]
fn messages_quote_a_reference_and_not_its_value() {
    let mistake = mistake("http.listen = '${env:SECRET}'");
    assert!(mistake.ends_with("not \"${env:SECRET}\""), "{mistake}");
}
