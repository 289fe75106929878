//! `[key-value]`, `[blob]` and `[messaging]`.

use slight_capabilities::Access;

use super::*;
use crate::DeclaredGroup;

#[test]
fn a_route_is_a_name_or_a_table() {
    let config = good(
        "[key-value]\na = 'memory'\nb = { provider = 'memory', prefix = 'shop/', access = 'read' }\n'*' = 'memory'",
    );
    assert_eq!(config.key_value.find("a").unwrap().access, Access::ReadWrite);
    let detailed = config.key_value.find("b").unwrap();
    assert_eq!((detailed.prefix.as_str(), detailed.access), ("shop/", Access::Read));
    assert_eq!(config.key_value.find("any other").unwrap().provider, "memory");
    assert!(mistake("key-value.a = 3").ends_with("\"a\" must be a string or a table, not an integer"));
    assert!(mistake("key-value.a = {}").ends_with("[key-value.a] needs the key \"provider\""));
}

#[test]
fn what_is_not_routed_is_denied() {
    assert!(good("key-value.a = 'memory'").key_value.find("b").is_none());
}

#[test]
fn the_empty_name_and_default_are_one() {
    assert!(good("blob.'' = 'memory'").blob.find("default").is_some());
    assert!(
        mistake("[blob]\ndefault = 'memory'\n'' = 'memory'").starts_with("3:1: \"\" and \"default\" are the same name")
    );
}

#[test]
fn a_route_leads_to_a_declared_section() {
    assert_eq!(
        mistake("[providers.cache]\ntype='redis'\nurl='u'\n[key-value]\na = 'cahce'"),
        r#"5:5: no provider is called "cahce"; did you mean "cache"?"#
    );
    assert_eq!(
        mistake("key-value.a = 'rediss'"),
        r#"1:15: no provider is called "rediss"; did you mean "redis"? It needs a section [providers.redis]"#
    );
    assert_eq!(mistake("blob.a = 'x'"), r#"1:10: no provider is called "x"; declare it as [providers.X]"#);
}

#[test]
fn a_route_leads_to_a_provider_that_offers_the_capability() {
    assert_eq!(
        mistake("[providers.redis]\nurl='u'\n[blob]\na = { provider = 'redis' }"),
        r#"4:18: "redis" is of the type "redis", which offers key-value and messaging and not blob; the types that do: "memory", "azure" and "file""#
    );
}

#[test]
fn a_route_to_a_section_that_is_wrong_itself_says_no_more() {
    assert!(mistake("[providers.cache]\ntype='x'\n[blob]\na = 'cache'").contains("no provider is of the type"));
}

#[test]
fn names_have_at_most_128_bytes() {
    let long = "ä".repeat(65);
    for capability in ["key-value", "blob", "messaging"] {
        assert!(
            mistake(&format!("{capability}.'{long}' = 'memory'")).ends_with("has 130 bytes; it may have at most 128")
        );
        good(&format!("{capability}.'{}' = 'memory'", "ä".repeat(64)));
    }
}

#[test]
fn a_prefix_has_characters_that_every_backend_takes() {
    for prefix in ["a b", "/a", "a//b", "..", "ä"] {
        let found = mistake(&format!("blob.a = {{ provider = 'memory', prefix = '{prefix}' }}"));
        assert!(found.contains(&format!("the prefix {prefix:?} must be at most 128 characters")), "{found}");
    }
    assert_eq!(good("blob.a = { provider = 'memory', prefix = '' }").blob.find("a").unwrap().prefix, "");
}

#[test]
fn an_existing_location_is_named_by_the_route_unless_it_is_given() {
    let config = good(
        "[blob]\nphotos = { provider = 'memory', existing = true }\nb = { provider = 'memory', existing = true, location = 'p' }\n'' = { provider = 'memory', existing = true }",
    );
    assert_eq!(config.blob.find("photos").unwrap().existing.as_deref(), Some("photos"));
    assert_eq!(config.blob.find("b").unwrap().existing.as_deref(), Some("p"));
    assert_eq!(config.blob.find("").unwrap().existing.as_deref(), Some("default"));
    assert_eq!(good("blob.a = { provider = 'memory', existing = false }").blob.find("a").unwrap().existing, None);
}

#[test]
fn an_existing_location_has_one_name_and_no_prefix() {
    let route = |name: &str, more: &str| format!("blob.{name} = {{ provider = 'memory', {more} }}");
    assert!(mistake(&route("'*'", "existing = true")).contains("must name it and not be \"*\""));
    assert!(mistake(&route("a", "existing = true, prefix = 'p'")).contains("does not go with existing = true"));
    assert!(mistake(&route("a", "location = 'p'")).contains("\"location\" needs existing = true"));
    assert!(mistake(&route("a", "existing = true, location = ''")).contains("\"location\" must not be empty"));
}

#[test]
fn a_route_may_say_what_the_backend_calls_its_name() {
    let config = good(
        "[key-value]\nsessions = { provider = 'memory', name = 'shop-sessions' }\n'' = { provider = 'memory', prefix = 'eu', name = 'a b' }\n[blob]\nphotos = { provider = 'memory', name = 'pictures' }",
    );
    let named = |route: Option<&slight_capabilities::Route<String>>, name| route.unwrap().qualify(name).encoded();
    assert_eq!(named(config.key_value.find("sessions"), "sessions"), "shop-sessions");
    assert_eq!(named(config.key_value.find("default"), "default"), "eu=/=YSBi");
    assert_eq!(named(config.blob.find("photos"), "photos"), "pictures");
}

#[test]
fn the_backends_name_is_one_name() {
    let route = |name: &str, more: &str| format!("blob.{name} = {{ provider = 'memory', {more} }}");
    assert!(mistake(&route("'*'", "name = 'p'")).contains("must name it and not be \"*\""));
    assert!(mistake(&route("a", "existing = true, name = 'p'")).contains("\"location\" says what"));
    assert!(mistake(&route("a", "name = ''")).contains("the container name is empty"));
    let long = mistake(&format!("key-value.a = {{ provider = 'memory', name = '{}' }}", "x".repeat(129)));
    assert!(long.contains("the bucket name has 129 bytes"), "{long}");
    assert!(mistake("messaging.a = { provider = 'memory', name = 'p' }").contains("unknown key \"name\""));
}

#[test]
fn each_capability_has_its_own_keys() {
    for text in [
        "key-value.a = { provider = 'memory', existing = true }",
        "key-value.a = { provider = 'memory', groups = [] }",
        "messaging.a = { provider = 'memory', access = 'read' }",
    ] {
        assert!(mistake(text).contains("unknown key"), "{text}");
    }
}

#[test]
fn a_messaging_route_declares_groups() {
    let config = good("[messaging]\n'' = { provider = 'memory', groups = [{ topic = 'orders', group = 'billing' }] }");
    let declared = DeclaredGroup { client: "default".into(), topic: "orders".into(), group: "billing".into() };
    assert_eq!(config.groups, [declared]);
}

#[test]
fn a_declared_group_has_legal_names_and_is_declared_once() {
    let text = "messaging.a = { provider = 'memory', groups = [{ topic = '', group = 'g' }, { topic = 't', group = 'g' }, { topic = 't', group = 'g' }, { topic = 't' }] }";
    let found = mistakes(text);
    assert!(found.first().unwrap().contains("the topic name is empty"), "{found:?}");
    assert!(found.get(1).unwrap().ends_with(r#"the group "g" of the topic "t" is declared twice"#), "{found:?}");
    assert!(found.get(2).unwrap().ends_with(r#"[messaging.a.groups] needs the key "group""#), "{found:?}");
    assert_eq!(found.len(), 3);
}
