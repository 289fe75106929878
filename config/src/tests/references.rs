//! `${env:NAME}` and `${file:PATH}` in a file.

use super::*;

#[test]
fn references_are_followed_in_every_string() {
    let text = "http.listen = '${env:ADDRESS}'\ncomponent.env = { A = 'a${env:KIND}' }\nkey-value = { a = { provider = 'memory', prefix = '${env:KIND}' } }";
    let config = good(text);
    assert_eq!(config.http.listen.port(), 8080);
    assert_eq!(config.component.env.get("A").unwrap().expose(), "aredis");
    assert_eq!(config.key_value.find("a").unwrap().prefix, "redis");
}

#[test]
fn an_escaped_reference_stays() {
    assert_eq!(good("component.env = { A = '$${env:KIND}' }").component.env.get("A").unwrap().expose(), "${env:KIND}");
}

#[test]
fn a_reference_that_cannot_be_followed_is_reported_where_it_stands() {
    let text = "component.env = { A = 'x${env:UNSET}${env:NONE}', B = '${file:none}', C = '${', D = '${vault:x}' }";
    let found = mistakes(text);
    assert_eq!(found.first().unwrap(), "1:25: the environment variable \"UNSET\" is not set");
    assert_eq!(found.get(1).unwrap(), "1:37: the environment variable \"NONE\" is not set");
    assert!(found.get(2).unwrap().starts_with("1:56: the file \"./none\" cannot be read: "), "{found:?}");
    assert!(found.get(3).unwrap().starts_with("1:76: \"${\" has no closing"), "{found:?}");
    assert!(found.get(4).unwrap().starts_with("1:86: a reference is"), "{found:?}");
    assert_eq!(found.len(), 5);
}

#[test]
fn a_reference_that_failed_is_its_only_mistake() {
    for text in [
        "http.listen = '${env:UNSET}'",
        "key-value = { a = '${env:UNSET}' }",
        "key-value = { a = { provider = 'memory', access = '${env:UNSET}' } }",
        "providers.x = { type = '${env:UNSET}' }",
        "component.files = [{ guest = '${env:UNSET}', host = '${env:KIND}/../.' }]",
    ] {
        let found = mistakes(text);
        assert!(found.first().unwrap().ends_with("\"UNSET\" is not set"), "{found:?}");
        assert!(found.len() == 1 || text.contains("host"), "{found:?}");
    }
}

#[test]
fn a_reference_inside_an_escaped_string_is_still_reported() {
    assert!(mistake(r#"component.env = { A = "\u0024{env:UNSET}" }"#).starts_with("1:23: "));
}

#[test]
fn keys_are_taken_as_they_are() {
    assert!(good("key-value = { '${env:UNSET}' = 'memory' }").key_value.find("${env:UNSET}").is_some());
}
