use slight_capabilities::{Error, Result, add_to_counter};
use tokio::time::{Instant, timeout_at};

use crate::{entry, errors::Effect, key_value::S3Bucket, pause::Pause};

impl S3Bucket {
    /// Reads, adds, and writes if nobody else has written meanwhile; until that succeeds or the time is over.
    pub(crate) async fn increment_by(&self, key: &str, delta: i64, deadline: Instant) -> Result<i64> {
        let busy =
            || Error::timeout(format!("the counter {key:?} changed too often to be incremented in time; try again"));
        let object = self.key(key);
        let _turn = timeout_at(deadline, self.turns.take(&object)).await.map_err(|_| busy())?;
        let mut pause = Pause::default();
        loop {
            let current = self.get_by(key, deadline).await?;
            let (value, version) = current.map(|entry| (entry.value, entry.version)).unzip();
            let sum = add_to_counter(key, value.as_deref(), delta)?;
            match entry::write(&self.store, &object, version.as_ref(), sum.to_string().into(), deadline).await {
                Ok(()) => return Ok(sum),
                Err(failure) if failure.is_conflict() => {}
                Err(failure) => return Err(self.store.error(failure, Effect::Once)),
            }
            if !pause.wait(deadline).await {
                return Err(busy());
            }
        }
    }
}
