//! `[component]`.

use super::*;

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
fn a_guest_path_is_absolute_and_given_once() {
    for guest in ["data", "", "/a/../b"] {
        let mistake = mistake(&format!("component.files = [{{ guest = '{guest}', host = '.' }}]"));
        assert!(mistake.contains("must be an absolute path"), "{mistake}");
    }
    let twice = "component.files = [{ guest = '/a', host = '.' }, { guest = '/a/', host = '.' }]";
    assert!(mistake(twice).ends_with("the guest path \"/a/\" is given twice"));
}

#[test]
fn a_variable_name_is_one_that_a_guest_can_read() {
    for name in ["", "A=B"] {
        assert!(mistake(&format!("component.env = {{ '{name}' = 'x' }}")).contains("the variable name"), "{name}");
    }
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
