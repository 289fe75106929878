use std::time::{Duration, Instant};

use serde_json::json;
use slight_capabilities::{Capability, ErrorKind};
use slight_provider_s3::kind;
use slight_services::{Fault, Rule};

use crate::support::{S3_BUCKET, answer, blobs, bucket, container, content, is_megabytes, megabytes, place, value};

#[tokio::test]
async fn reads_and_plain_writes_are_sent_again() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let provider = place.provider().await;
    let (bucket, container) = (bucket(&*provider).await, container(&*provider).await);
    for fault in [answer(500, "InternalError"), answer(503, "SlowDown"), Fault::CutRequest, Fault::CutAnswer] {
        faults.add(Rule::once(fault.clone()));
        bucket.set("key", "value".into()).await.unwrap();
        faults.add(Rule::once(fault.clone()));
        assert_eq!(value(&*bucket, "key").await.as_deref(), Some("value"));
        faults.add(Rule::once(fault.clone()));
        assert_eq!(bucket.keys(None).await.unwrap().items, ["key"]);
        faults.add(Rule::once(fault.clone()));
        bucket.delete("other").await.unwrap();
        faults.add(Rule::once(fault));
        container.write("object", megabytes(1)).await.unwrap();
    }
}

#[tokio::test]
async fn a_value_that_is_cut_is_read_again() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let bucket = place.bucket().await;
    bucket.set("key", "a value of some length".into()).await.unwrap();
    faults.add(Rule::once(Fault::CutBody(5)).method("GET"));
    assert_eq!(value(&*bucket, "key").await.as_deref(), Some("a value of some length"));
}

#[tokio::test]
async fn a_swap_whose_answer_is_lost_is_no_conflict_and_is_not_sent_again() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let bucket = place.bucket().await;
    faults.add(Rule::once(Fault::CutAnswer).method("PUT"));
    let lost = bucket.swap("key", None, "1".into()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert!(lost.message().contains("unknown"), "{lost}");
    let entry = bucket.get("key").await.unwrap().unwrap();
    assert_eq!(entry.value, "1");

    faults.take_requests();
    faults.add(Rule::once(Fault::CutAnswer).method("PUT"));
    let lost = bucket.swap("key", Some(&entry.version), "2".into()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert_eq!(faults.count("PUT"), 1);
    assert_eq!(value(&*bucket, "key").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn an_increment_whose_answer_is_lost_counts_once() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let bucket = place.bucket().await;
    assert_eq!(bucket.increment("counter", 1).await.unwrap(), 1);
    for fault in [Fault::CutAnswer, answer(500, "InternalError"), Fault::CutRequest] {
        faults.take_requests();
        faults.add(Rule::once(fault).method("PUT"));
        let lost = bucket.increment("counter", 1).await.unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
        assert!(lost.message().contains("unknown"), "{lost}");
        assert_eq!(faults.count("PUT"), 1);
    }
    // The first of them had taken effect, the others had not.
    assert_eq!(bucket.increment("counter", 0).await.unwrap(), 2);
}

#[tokio::test]
async fn swaps_and_increments_wait_when_s3_asks_for_fewer_requests() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let entries = place.bucket().await;
    faults.add(Rule::always(answer(503, "SlowDown")).method("PUT").times(2));
    entries.swap("key", None, "1".into()).await.unwrap();
    faults.add(Rule::always(answer(503, "SlowDown")).method("PUT").times(2));
    assert_eq!(entries.increment("counter", 5).await.unwrap(), 5);
    // It was certainly not done, and that is what it says.
    let impatient = bucket(&*place.provider_with(json!({ "timeout": "4s" })).await).await;
    faults.add(Rule::always(answer(503, "SlowDown")).method("PUT"));
    for error in [
        impatient.swap("other", None, "1".into()).await.unwrap_err(),
        impatient.increment("counter", 1).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    faults.clear();
    assert_eq!(entries.increment("counter", 0).await.unwrap(), 5);
}

#[tokio::test]
async fn every_refusal_of_a_condition_is_a_conflict() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let bucket = place.bucket().await;
    bucket.set("key", "1".into()).await.unwrap();
    let version = bucket.get("key").await.unwrap().unwrap().version;
    for fault in
        [answer(412, "PreconditionFailed"), answer(409, "ConditionalRequestConflict"), answer(404, "NoSuchKey")]
    {
        faults.add(Rule::once(fault).method("PUT"));
        let error = bucket.swap("key", Some(&version), "2".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
    // An increment makes another attempt after each.
    faults.add(Rule::always(answer(409, "ConditionalRequestConflict")).method("PUT").times(3));
    assert_eq!(bucket.increment("key", 1).await.unwrap(), 2);
}

#[tokio::test]
async fn what_another_attempt_cannot_pass_is_no_conflict() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let bucket = place.bucket().await;
    bucket.set("key", "1".into()).await.unwrap();
    let version = bucket.get("key").await.unwrap().unwrap().version;
    let cases = [
        (answer(409, "OperationAborted"), ErrorKind::Unavailable, "try again"),
        (answer(409, "InvalidBucketState"), ErrorKind::Unavailable, "state"),
        (answer(403, "AccessDenied"), ErrorKind::Denied, "object lock"),
        (answer(403, "InvalidObjectState"), ErrorKind::Unavailable, "restore-object"),
        (answer(400, "KMS.DisabledException"), ErrorKind::Denied, "KMS"),
    ];
    for (fault, kind, part) in cases {
        faults.add(Rule::always(fault).method("PUT").times(2));
        let swapped = bucket.swap("key", Some(&version), "2".into()).await.unwrap_err();
        let counted = bucket.increment("key", 1).await.unwrap_err();
        for error in [swapped, counted] {
            assert!(error.kind() == kind && error.message().contains(part), "{error}");
        }
    }
    assert_eq!(bucket.increment("key", 1).await.unwrap(), 2);
}

#[tokio::test]
async fn a_slow_server_is_a_timeout_in_time() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let provider = place.provider_with(json!({ "timeout": "3s" })).await;
    let (bucket, container) = (bucket(&*provider).await, container(&*provider).await);
    container.write("object", megabytes(1)).await.unwrap();
    faults.add(Rule::always(Fault::Delay(Duration::from_secs(3600))));
    let started = Instant::now();
    let (got, set, swapped, counted, listed, told, read) = tokio::join!(
        bucket.get("got"),
        bucket.set("set", "1".into()),
        bucket.swap("swapped", None, "1".into()),
        bucket.increment("counter", 1),
        bucket.keys(None),
        container.stat("object"),
        content(&*container, "object"),
    );
    for (error, may_have_written) in [
        (got.err(), false),
        (set.err(), true),
        (swapped.err(), true),
        (counted.err(), false),
        (listed.err(), false),
        (told.err(), false),
        (read.err(), false),
    ] {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.message().contains("unknown"), may_have_written, "{error}");
        assert!(error.message().contains(&place.address()) && error.message().contains(S3_BUCKET), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_wrong_with_the_section_is_said_without_what_s3_said() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let region = ("x-amz-bucket-region".to_owned(), "eu-west-1".to_owned());
    let body = "<Error><Code>PermanentRedirect</Code><Message>hunter2</Message></Error>".to_owned();
    let elsewhere = Fault::Answer { status: 301, headers: vec![region], body };
    let cases = [
        (elsewhere, ErrorKind::Invalid, "eu-west-1"),
        (answer(400, "AuthorizationHeaderMalformed"), ErrorKind::Invalid, "region"),
        (answer(400, "ExpiredToken"), ErrorKind::Denied, "expired"),
        (answer(403, "RequestTimeTooSkewed"), ErrorKind::Denied, "clock"),
        (answer(403, "AccessDenied"), ErrorKind::Denied, "credentials"),
        (answer(400, "Unheard"), ErrorKind::Other, "refused"),
        (Fault::answer(200, "this is no XML"), ErrorKind::Unavailable, "failing"),
        (answer(200, "InternalError"), ErrorKind::Unavailable, "failing"),
    ];
    for (fault, expected, part) in cases {
        faults.add(Rule::always(fault));
        let provider = kind().connect(place.settings()).await.unwrap();
        let error = provider.prepare(Capability::KeyValue).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{error}");
        assert!(error.message().contains(part) && !error.message().contains("hunter2"), "{error}");
        faults.clear();
    }
}

#[tokio::test]
async fn an_upload_survives_what_passes_and_leaves_nothing_where_it_does_not() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    for fault in [answer(500, "InternalError"), answer(503, "SlowDown"), Fault::CutRequest, Fault::CutAnswer] {
        faults.add(Rule::once(fault).target("partNumber=2"));
        container.write("object", megabytes(20)).await.unwrap();
        let blob = container.read("object", slight_capabilities::ByteRange::ALL).await.unwrap();
        is_megabytes(blob, 20).await;
    }
    for (method, target) in [("PUT", "partNumber=2"), ("POST", "uploads"), ("POST", "uploadId=")] {
        faults.add(Rule::always(answer(500, "InternalError")).method(method).target(target));
        let error = container.write("object", megabytes(17)).await.unwrap_err();
        assert!([ErrorKind::Unavailable, ErrorKind::Timeout].contains(&error.kind()), "{error}");
        faults.clear();
        assert_eq!(place.uploads().await, 0, "after failures of {method} {target}");
    }
    let blob = container.read("object", slight_capabilities::ByteRange::ALL).await.unwrap();
    is_megabytes(blob, 20).await;
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_no_container_of_somebody_else() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let provider = place.provider().await;
    faults.add(Rule::once(Fault::CutAnswer).method("PUT"));
    let lost = blobs(&*provider).create(&"container".into()).await.err().unwrap();
    assert_eq!(lost.kind(), ErrorKind::Timeout, "{lost}");
    assert!(blobs(&*provider).exists(&"container".into()).await.unwrap());
}
