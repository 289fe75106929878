use futures_util::StreamExt;
use slight_capabilities::{ByteRange, ErrorKind};
use slight_services::{Fault, Rule};

use crate::support::{MIB, is_megabytes, megabytes, place, rest};

#[tokio::test]
async fn a_read_that_is_cut_goes_on_where_it_was() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    container.write("object", megabytes(3)).await.unwrap();
    for cut in [0, 100_000, 2_500_000] {
        faults.take_requests();
        faults.add(Rule::once(Fault::CutBody(cut)).method("GET"));
        is_megabytes(container.read("object", ByteRange::ALL).await.unwrap(), 3).await;
        assert_eq!(faults.count("GET"), 2, "cut after {cut}");
    }
}

#[tokio::test]
async fn a_range_that_is_cut_goes_on_where_it_was() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    container.write("object", megabytes(4)).await.unwrap();
    faults.add(Rule::once(Fault::CutBody(100_000)).method("GET"));
    let range = ByteRange { start: 2 * MIB as u64, end: 3 * MIB as u64 - 1 };
    let found = rest(container.read("object", range).await.unwrap()).await.unwrap();
    let all = rest(container.read("object", ByteRange::ALL).await.unwrap()).await.unwrap();
    assert!(found == all[2 * MIB..3 * MIB]);
}

#[tokio::test]
async fn a_read_that_is_cut_does_not_go_on_in_another_version() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    for removed in [false, true] {
        container.write("object", megabytes(3)).await.unwrap();
        faults.add(Rule::once(Fault::CutBody(1_000_000)).method("GET"));
        let mut blob = container.read("object", ByteRange::ALL).await.unwrap();
        let begun = blob.body.next().await.unwrap().unwrap();
        assert!(begun.len() <= 1_000_000);
        match removed {
            true => container.delete(&["object".into()]).await.unwrap(),
            false => container.write("object", megabytes(4)).await.unwrap(),
        }
        let error = rest(blob).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    }
}

#[tokio::test]
async fn a_read_that_gets_no_further_is_an_error() {
    let Some(place) = place() else { return };
    let (place, faults) = place.behind_faults();
    let container = place.container().await;
    container.write("object", megabytes(3)).await.unwrap();
    faults.add(Rule::always(Fault::CutBody(0)).method("GET"));
    let error = rest(container.read("object", ByteRange::ALL).await.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}
