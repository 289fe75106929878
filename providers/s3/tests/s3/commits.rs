use slight_capabilities::{ByteRange, Container, ErrorKind, ObjectId};
use slight_services::{Fault, Faults, Rule};

use crate::support::{Place, S3_BUCKET, answer, blobs, container, is_megabytes, megabytes, place};

/// What names the request that makes the parts of an upload the object.
const COMMIT: &str = "uploadId=";

fn next_commit(faults: &Faults, fault: Fault) {
    faults.add(Rule::once(fault).method("POST").target(COMMIT));
}

async fn is_there(container: &dyn Container, size: usize) {
    is_megabytes(container.read("object", ByteRange::ALL).await.unwrap(), size).await;
}

#[tokio::test]
async fn a_commit_is_sent_again_when_it_fails_or_its_answer_is_lost() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    let passing = [
        answer(500, "InternalError"),
        answer(200, "InternalError"),
        answer(503, "SlowDown"),
        answer(503, "ServiceUnavailable"),
        Fault::CutRequest,
        Fault::CutAnswer,
    ];
    for (fault, size) in passing.into_iter().zip(9..) {
        faults.take_requests();
        next_commit(&faults, fault.clone());
        container.write("object", megabytes(size)).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(faults.count("POST"), 3, "{fault:?}");
        is_there(&*container, size).await;
        assert_eq!(place.uploads().await, 0);
    }
}

#[tokio::test]
async fn a_commit_that_a_server_has_forgotten_is_known_by_the_object() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    container.write("object", megabytes(9)).await.unwrap();
    // The object that was there before is of the same size.
    for (second, size) in [("NoSuchUpload", 9), ("NoSuchUpload", 10), ("InternalError", 11)] {
        next_commit(&faults, Fault::CutAnswer);
        let status = if second == "NoSuchUpload" { 404 } else { 500 };
        faults.add(Rule::always(answer(status, second)).method("POST").target(COMMIT));
        container.write("object", megabytes(size)).await.unwrap();
        faults.clear();
        is_there(&*container, size).await;
    }
}

#[tokio::test]
async fn a_commit_of_which_nothing_tells_leaves_the_outcome_unknown() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    container.write("object", megabytes(9)).await.unwrap();
    // It was not done, and nothing but the lost attempt could tell: the object is as before, of the same size.
    next_commit(&faults, Fault::CutRequest);
    next_commit(&faults, answer(404, "NoSuchUpload"));
    let lost = container.write("object", megabytes(9)).await.unwrap_err();
    // It was done, but nobody gets to see the object.
    next_commit(&faults, Fault::CutAnswer);
    next_commit(&faults, answer(404, "NoSuchUpload"));
    faults.add(Rule::always(answer(403, "AccessDenied")).method("HEAD"));
    let unseen = container.write("object", megabytes(10)).await.unwrap_err();
    faults.clear();
    // It fails and fails.
    faults.add(Rule::always(answer(500, "InternalError")).method("POST").target(COMMIT));
    let failed = container.write("object", megabytes(11)).await.unwrap_err();
    for error in [lost, unseen, failed] {
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.message().contains("unknown"), "{error}");
    }
    is_there(&*container, 10).await;
    assert_eq!(place.uploads().await, 0);
}

#[tokio::test]
async fn a_commit_that_is_refused_at_once_says_that_nothing_was_changed() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    container.write("object", megabytes(9)).await.unwrap();
    for (fault, kind) in [
        (answer(404, "NoSuchUpload"), ErrorKind::Conflict),
        (answer(403, "AccessDenied"), ErrorKind::Denied),
        (answer(400, "InvalidPart"), ErrorKind::Other),
    ] {
        faults.take_requests();
        next_commit(&faults, fault);
        let refused = container.write("object", megabytes(10)).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused}");
        assert_eq!(faults.count("POST"), 2, "{refused}");
    }
    is_there(&*container, 9).await;
}

#[tokio::test]
async fn uploads_have_marks_of_their_own_and_copies_too() {
    let Some(place) = place() else { return };
    let provider = place.provider().await;
    let container = container(&*provider).await;
    container.write("one", megabytes(65)).await.unwrap();
    container.write("other", megabytes(9)).await.unwrap();
    let id = |object: &str| ObjectId { container: "container".into(), object: object.to_owned() };
    blobs(&*provider).copy(&id("one"), &id("copy")).await.unwrap();
    let marks = [mark(&place, "one").await, mark(&place, "other").await, mark(&place, "copy").await];
    assert!(marks[0] != marks[1] && marks[1] != marks[2] && marks[2] != marks[0], "{marks:?}");
}

async fn mark(place: &Place, object: &str) -> String {
    let key = format!("{}/blob/container/{object}", place.prefix);
    let head = place.client().head_object().bucket(S3_BUCKET).key(key).send().await.unwrap();
    head.metadata().and_then(|metadata| metadata.get("slight-upload")).unwrap().to_owned()
}
