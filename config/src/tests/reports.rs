//! How mistakes are told.

use super::*;

#[test]
fn all_mistakes_of_a_file_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"
[htpp]
listen = "127.0.0.1:3000"

[limits]
memory = "256 parsecs"
concurency = 3
timeout = 30

[component]
files = [{ guest = "/../d", host = "./missing" }]
http-outbound = ["api.example.com"]

[providers.cache]
type = "redsi"
[providers.azure]
ulr = "x"
database = 256

[key-value]
"" = "cach"
default = { provider = "azure", access = "write" }

[blob]
"*" = "nowhere at all"

[messaging]
shop = "file"

[[messaging.subscriptions]]
topics = []
max-deliveries = 0
"#;
    let found = mistakes(text);
    let expected = [
        r#"2:2: unknown key "htpp" in the file; did you mean "http"?"#,
        r#"6:10: "memory" must be a size such as "64KB", "256MiB" or a number of bytes, not "256 parsecs""#,
        r#"7:1: unknown key "concurency" in [limits]; did you mean "concurrency"?"#,
        r#"8:11: "timeout" must be a duration such as "500ms", "30s" or "2m", not an integer"#,
        r#"11:20: "guest" must be a path without ".." and NUL, such as "/data" or ".", not "/../d""#,
        r#"11:36: the host path "./missing" cannot be opened: No such file or directory (os error 2); make the directory, or correct the path"#,
        r#"12:18: an item of "http-outbound" must be an origin such as "https://api.example.com", "http://*.internal:8080", or "*", not "api.example.com": it needs a scheme, http:// or https://"#,
        r#"15:8: no provider is of the type "redsi"; did you mean "redis"?"#,
        r#"16:1: [providers.azure] needs the key "url""#,
        r#"17:1: unknown key "ulr" in [providers.azure]; did you mean "url"?"#,
        r#"18:12: "database" must be at most 255, not 256"#,
        r#"21:6: no provider is called "cach"; did you mean "cache"?"#,
        r#"22:1: "" and "default" are the same name, and both are here; keep one"#,
        r#"22:42: "access" must be "read" or "read-write", not "write""#,
        r#"25:7: no provider is called "nowhere at all"; the providers are "azure", "cache" and "memory""#,
        r#"28:8: there is no section [providers.file]; add one with the settings of file"#,
        r#"30:1: [messaging.subscriptions] needs the key "group""#,
        r#"30:1: the subscription's client "default" has no route; add one to [messaging], such as default = "memory""#,
        r#"31:10: "topics" must have at least 1 item"#,
        r#"32:18: "max-deliveries" must be at least 1, not 0"#,
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn a_mistake_shows_file_line_column_sentence_and_the_place() {
    let shown = parse("[http]\n  lisen = \"127.0.0.1:3000\"\n").unwrap_err().to_string();
    let expected =
        "slight.toml:2:3: unknown key \"lisen\" in [http]; did you mean \"listen\"?\n 2 |   lisen = …\n   |   ^^^^^";
    assert_eq!(shown, expected);
    let shown = parse("[limits]\nqueue = true # none\n").unwrap_err().to_string();
    let expected =
        "slight.toml:2:9: \"queue\" must be an integer, not true or false\n 2 | queue = true # none\n   |         ^^^^";
    assert_eq!(shown, expected);
}

#[test]
fn columns_count_characters() {
    assert!(mistake("key-value = { \"häße\" = \"ü\", b = 'memory' }").starts_with("1:24: "));
}

#[test]
fn windows_line_ends_are_no_part_of_the_line_shown() {
    let shown = parse("[limits]\r\nqueue = true\r\n").unwrap_err().to_string();
    assert!(shown.ends_with(" 2 | queue = true\n   |         ^^^^"), "{shown}");
}

#[test]
fn every_syntax_error_has_its_position() {
    assert_eq!(
        mistakes("[http]\nlisten = \nlisten = 1\n[limits\n"),
        [
            "2:10: this is not TOML: string values must be quoted, expected literal string",
            "3:1: this is not TOML: the key listen is there twice in one table; keep one",
            "4:8: this is not TOML: unclosed table, expected `]`",
        ]
    );
}

#[test]
fn a_key_that_is_there_twice_is_shown_without_what_it_holds() {
    let shown = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(
        shown("[key-value]\na = 'memory'\na = 'hunter2'\n"),
        "slight.toml:3:1: this is not TOML: the key a is there twice in one table; keep one\n 3 | a…\n   | ^"
    );
    assert_eq!(
        shown("[blob]\n[http]\n[blob]\n"),
        "slight.toml:3:2: this is not TOML: the key blob is there twice in one table; keep one\n 3 | [blob…\n   |  ^^^^"
    );
    for text in
        ["redis = { url = 'hunter2', url = 'hunter2' }", "a = { url = 'hunter2' }\nb = 'hunter2'\nb = 'hunter2'"]
    {
        assert!(shown(text).contains("is there twice") && !shown(text).contains("hunter2"), "{}", shown(text));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_mistake_without_a_position() {
    let mistakes = Config::load(Path::new("missing/slight.toml"), &kinds()).unwrap_err();
    let shown = mistakes.to_string();
    assert!(shown.starts_with("missing/slight.toml: the file cannot be read: "), "{shown}");
}

#[test]
fn a_file_that_is_not_text_is_a_mistake() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("slight.toml");
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(Config::load(&path, &kinds()).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_file_is_loaded_from_its_path() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    std::fs::write(dir.path().join("url"), "redis://localhost\n").unwrap();
    let text = "[component]\nfiles = [{ guest = '/d', host = 'data' }]\n[providers.redis]\nurl = '${file:url}'";
    std::fs::write(dir.path().join("slight.toml"), text).unwrap();
    let config = Config::load(&dir.path().join("slight.toml"), &kinds()).unwrap();
    assert_eq!(config.component.files.first().unwrap().host, dir.path().join("data"));
    let settings = &config.providers.get("redis").unwrap().settings;
    assert_eq!(settings, &serde_json::json!({ "url": "redis://localhost" }));
}

#[test]
fn the_example_is_good() {
    let config = good(EXAMPLE);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(config.component.env.get("GREETING").unwrap().expose(), "hello");
    assert_eq!(config.key_value.find("sessions").unwrap().prefix, "shop");
    assert_eq!(config.subscriptions.first().unwrap().dead_letter_topic("orders"), "orders-dead");
}

#[test]
fn an_empty_file_is_good_and_routes_nothing() {
    let config = good("");
    assert!(config.key_value.is_empty() && config.blob.is_empty() && config.messaging.is_empty());
}

#[test]
fn without_a_file_every_name_leads_to_memory() {
    let config = Config::without_file();
    for routes in [&config.key_value, &config.blob, &config.messaging] {
        assert_eq!(routes.find("anything").unwrap().provider, "memory");
    }
    assert_eq!(config.providers.get("memory").unwrap().kind, "memory");
    assert_eq!(config.limits, good("").limits);
    assert!(config.component.http_outbound.origins.is_empty());
}
