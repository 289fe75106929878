use slight_capabilities::ErrorKind;

use super::Outage;
use crate::{
    blob::body::{MIB, chunks, holds, write},
    check::{Failure, Outcome, require},
    content::pattern,
};

pub(super) async fn a_write_in_an_outage_fails_and_the_object_stays(outage: &mut Outage) -> Outcome {
    let store = outage.provider.blob().ok_or_else(|| Failure::new("expected a provider of blobs, found none"))?;
    let container = store.create(&"container".into()).await?;
    let before = pattern(1, 9 * MIB);
    write(&*container, "object", before.clone()).await?;
    outage.kill();
    for size in [1, 20 * MIB] {
        let body = chunks(pattern(2, size));
        let refused = container.write("object", body).await.err().map(|error| error.kind());
        let honest = matches!(refused, Some(ErrorKind::Unavailable | ErrorKind::Timeout));
        require(honest, format_args!("a write of {size} bytes: expected Unavailable or Timeout, found {refused:?}"))?;
    }
    outage.restart();
    holds(&*container, "object", &before).await?;
    let after = pattern(3, 10 * MIB);
    write(&*container, "object", after.clone()).await?;
    holds(&*container, "object", &after).await
}
