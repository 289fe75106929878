//! `[providers.X]`.

use super::*;

#[test]
fn a_section_without_a_type_is_of_the_type_that_it_is_named_after() {
    let config = good("[providers.redis]\nurl = 'u'\n[providers.cache]\ntype = 'redis'\nurl = 'v'");
    assert_eq!(config.providers.get("redis").unwrap().kind, "redis");
    assert_eq!(config.providers.get("cache").unwrap().kind, "redis");
    assert_eq!(config.providers.get("cache").unwrap().settings, serde_json::json!({ "url": "v" }));
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
