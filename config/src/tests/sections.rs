//! `[component]`.

use super::*;
use crate::Trigger;

#[test]
fn a_guest_directory_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let files = |host: &str| format!("component.files = [{{ guest = '/data', host = '{host}' }}]");
    let config = parse_in(dir.path(), &files(".")).unwrap();
    let directory = config.component.files.first().unwrap();
    assert_eq!((directory.guest.as_str(), directory.read_only), ("/data", false));
    assert_eq!(directory.host, dir.path().join("."));
    for (host, wrong) in [("file", "is not a directory"), ("none", "; make the directory, or correct the path")] {
        let shown = parse_in(dir.path(), &files(host)).unwrap_err().to_string();
        assert!(shown.contains(wrong), "{shown}");
    }
}

#[test]
fn a_guest_path_stays_within_and_is_given_once() {
    for guest in ["", "..", "/a/../b", "a/.."] {
        let mistake = mistake(&format!("component.files = [{{ guest = '{guest}', host = '.' }}]"));
        assert!(mistake.contains("must be a path without \"..\" and NUL"), "{mistake}");
    }
    let two = |one: &str, other: &str| {
        format!("component.files = [{{ guest = '{one}', host = '.' }}, {{ guest = '{other}', host = '.' }}]")
    };
    for (one, other) in [("/a", "/a/"), (".", "./"), ("readonly", "./readonly"), ("/", "/.")] {
        let mistake = mistake(&two(one, other));
        assert!(mistake.ends_with(&format!("the guest path {other:?} is given twice")), "{mistake}");
    }
    for (one, other) in [(".", "readonly"), ("/", "."), ("/a", "a"), ("/a", "/a/b")] {
        assert_eq!(good(&two(one, other)).component.files.len(), 2);
    }
}

#[test]
fn a_variable_name_is_one_that_a_guest_can_read() {
    for name in ["", "A=B"] {
        assert!(mistake(&format!("component.env = {{ '{name}' = 'x' }}")).contains("the variable name"), "{name}");
    }
}

#[test]
fn a_variable_holds_what_a_guest_can_read() {
    assert_eq!(
        mistake("[component]\nenv = { A = \"a\\u0000b\" }"),
        "2:13: the value of the variable \"A\" must hold no NUL: a program reads it up to there"
    );
    assert!(mistake("component.env = { \"A\\u0000\" = \"b\" }").contains("no = and no NUL"));
    // These are strings of their own, as long as they are.
    good("component.env = { A = 'b=c' }\ncomponent.config = { \"a\\u0000=\" = \"b\\u0000\" }");
}

#[test]
fn triggers_are_chosen_by_name() {
    assert!(good("").component.triggers.is_empty());
    let chosen = good("component.triggers = ['http', 'command', 'messaging']").component.triggers;
    assert_eq!(chosen, [Trigger::Http, Trigger::Command, Trigger::Messaging]);
    assert!(mistake("component.triggers = ['htpp']").ends_with("did you mean \"http\"?"));
}

#[test]
fn environment_and_configuration_hold_strings() {
    let mistake = mistake("component.config = { retries = 3 }");
    assert!(mistake.ends_with("\"retries\" must be a string, not an integer"), "{mistake}");
}

#[test]
fn outbound_origins_are_parsed() {
    let outbound = good("component.http-outbound = ['https://api.example.com', 'http://*.internal:8080']").component;
    assert!(outbound.http_outbound.allows("https", "api.example.com", None));
    assert!(outbound.http_outbound.allows("http", "db.internal", Some(8080)));
    assert!(!outbound.http_outbound.allows("http", "db.internal", None));
}
