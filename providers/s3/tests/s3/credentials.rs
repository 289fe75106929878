use std::{env, process::Command};

use serde_json::{Value, json};
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_s3::kind;
use slight_services::{S3_ADMIN, S3_READER};

use crate::support::{S3_BUCKET, blobs, bucket, megabytes, merge, place, text};

#[tokio::test]
async fn a_wrong_key_says_so_and_is_not_shown() {
    let Some(place) = place() else { return };
    let wrong = [
        (json!({ "secret-access-key": "hunter2" }), "secret access key"),
        (json!({ "access-key-id": "hunter2" }), "access key id"),
    ];
    for (more, named) in wrong {
        let mut settings = place.settings();
        merge(&mut settings, more);
        let provider = kind().connect(settings).await.unwrap();
        for error in [provider.prepare(Capability::Blob).await.unwrap_err(), provider.ping().await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
            assert!(error.message().contains(named), "{error}");
            let mut shown = format!("{error:?} {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(error) = cause {
                shown.push_str(&format!(" {error}"));
                cause = error.source();
            }
            assert!(!error.message().contains("hunter2") && !shown.contains(S3_ADMIN.secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn what_a_key_may_not_do_is_denied() {
    let Some(place) = place() else { return };
    let writer = place.provider().await;
    bucket(&*writer).await.set("key", "1".into()).await.unwrap();
    blobs(&*writer).create(&"container".into()).await.unwrap().write("object", text("1")).await.unwrap();

    let reading = json!({ "access-key-id": S3_READER.id, "secret-access-key": S3_READER.secret });
    let reader = place.provider_with(reading).await;
    let entries = bucket(&*reader).await;
    assert_eq!(entries.get("key").await.unwrap().unwrap().value, "1");
    let objects = blobs(&*reader).get(&"container".into()).await.unwrap();
    for error in [
        entries.set("key", "2".into()).await.unwrap_err(),
        entries.swap("key", None, "2".into()).await.unwrap_err(),
        entries.increment("counter", 1).await.unwrap_err(),
        entries.delete("key").await.unwrap_err(),
        entries.delete_many(&["key".into()]).await.unwrap_err(),
        objects.write("object", text("2")).await.unwrap_err(),
        objects.write("object", megabytes(9)).await.unwrap_err(),
        objects.delete(&["object".into()]).await.unwrap_err(),
        blobs(&*reader).create(&"another".into()).await.err().unwrap(),
        blobs(&*reader).delete(&"container".into()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
}

/// Names the settings for a process that a test starts of itself, with an environment of its own.
const SETTINGS: &str = "SLIGHT_TEST_S3_SETTINGS";

/// In such a process: connects, prints what came of it, and is true.
async fn has_connected() -> bool {
    let Ok(settings) = env::var(SETTINGS) else { return false };
    let provider = kind().connect(serde_json::from_str(&settings).unwrap()).await;
    let outcome = match provider {
        Ok(provider) => provider.prepare(Capability::KeyValue).await,
        Err(error) => Err(error),
    };
    println!("outcome: {outcome:?}");
    true
}

/// Runs a test in a process of its own, in which nothing tells AWS's tools of credentials but these variables.
fn outcome(test: &str, settings: &Value, variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture"]);
    for (name, _) in env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("HOME", home.path()).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env(SETTINGS, settings.to_string()).envs(variables.iter().copied());
    let output = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let (_, outcome) = output.split_once("outcome: ").unwrap_or_else(|| panic!("no outcome in {output}"));
    outcome.lines().next().unwrap().to_owned()
}

fn without_keys(mut settings: Value) -> Value {
    for key in ["access-key-id", "secret-access-key"] {
        settings.as_object_mut().unwrap().remove(key);
    }
    settings
}

/// A file as AWS's own tools share it, with these profiles.
fn shared_file(profiles: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), profiles).unwrap();
    file
}

#[tokio::test]
async fn keys_may_come_from_the_environment() {
    if has_connected().await {
        return;
    }
    let Some(place) = place() else { return };
    let variables = [("AWS_ACCESS_KEY_ID", S3_ADMIN.id), ("AWS_SECRET_ACCESS_KEY", S3_ADMIN.secret)];
    let found = outcome("credentials::keys_may_come_from_the_environment", &without_keys(place.settings()), &variables);
    assert_eq!(found, "Ok(())");
}

#[tokio::test]
async fn keys_and_region_may_come_from_a_profile() {
    if has_connected().await {
        return;
    }
    let Some(place) = place() else { return };
    let (id, secret) = (S3_ADMIN.id, S3_ADMIN.secret);
    let profile = format!("[work]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\nregion = us-east-1\n");
    let file = shared_file(&profile);
    let mut settings = without_keys(place.settings());
    settings["profile"] = "work".into();
    // The environment names the endpoint here, so that the region is not that of an `endpoint`.
    settings.as_object_mut().unwrap().remove("endpoint");
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", file.path().to_str().unwrap()), ("AWS_ENDPOINT_URL", &place.url)];
    let found = outcome("credentials::keys_and_region_may_come_from_a_profile", &settings, &variables);
    assert_eq!(found, "Ok(())");
}

#[tokio::test]
async fn a_profile_of_the_settings_goes_before_keys_of_the_environment() {
    if has_connected().await {
        return;
    }
    let Some(place) = place() else { return };
    let (id, secret) = (S3_ADMIN.id, S3_ADMIN.secret);
    let profiles =
        format!("[work]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n[empty]\nregion = us-east-1\n");
    let file = shared_file(&profiles);
    let others = [
        ("AWS_SHARED_CREDENTIALS_FILE", file.path().to_str().unwrap()),
        ("AWS_ACCESS_KEY_ID", "hunter2"),
        ("AWS_SECRET_ACCESS_KEY", "hunter2"),
    ];
    let test = "credentials::a_profile_of_the_settings_goes_before_keys_of_the_environment";
    let mut settings = without_keys(place.settings());
    settings["profile"] = "work".into();
    assert_eq!(outcome(test, &settings, &others), "Ok(())");
    settings["profile"] = "empty".into();
    let found = outcome(test, &settings, &others);
    assert!(found.contains("Denied") && found.contains(r#"the profile \"empty\""#), "{found}");
}

#[tokio::test]
async fn an_unknown_profile_is_named_and_nothing_takes_its_place() {
    if has_connected().await {
        return;
    }
    let Some(place) = place() else { return };
    let file = shared_file("[work]\naws_access_key_id = a\naws_secret_access_key = b\n");
    let mut settings = without_keys(place.settings());
    settings["profile"] = "wrok".into();
    let keys = [("AWS_ACCESS_KEY_ID", S3_ADMIN.id), ("AWS_SECRET_ACCESS_KEY", S3_ADMIN.secret)];
    for files in [vec![], vec![("AWS_SHARED_CREDENTIALS_FILE", file.path().to_str().unwrap())]] {
        let variables = [&files[..], &keys].concat();
        let test = "credentials::an_unknown_profile_is_named_and_nothing_takes_its_place";
        let found = outcome(test, &settings, &variables);
        assert!(found.contains("Invalid") && found.contains(r#"no profile \"wrok\""#), "{found}");
    }
}

#[tokio::test]
async fn a_token_file_that_is_missing_is_named() {
    if has_connected().await {
        return;
    }
    let settings = json!({ "endpoint": "http://127.0.0.1:9", "key-value": { "location": S3_BUCKET } });
    let variables = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/slight")];
    let found = outcome("credentials::a_token_file_that_is_missing_is_named", &settings, &variables);
    for part in ["Denied", "the file /no/such/token", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
        assert!(found.contains(part), "{found}");
    }
}

#[tokio::test]
async fn no_credentials_at_all_say_where_to_put_them() {
    if has_connected().await {
        return;
    }
    let settings = json!({ "endpoint": "http://127.0.0.1:9", "key-value": { "location": S3_BUCKET } });
    let found = outcome("credentials::no_credentials_at_all_say_where_to_put_them", &settings, &[]);
    assert!(found.contains("Denied") && found.contains("access-key-id"), "{found}");
}

#[tokio::test]
async fn no_region_at_all_says_where_to_put_it() {
    if has_connected().await {
        return;
    }
    let found = outcome("credentials::no_region_at_all_says_where_to_put_it", &json!({}), &[]);
    assert!(found.contains("Invalid") && found.contains("set `region`"), "{found}");
}
