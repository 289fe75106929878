//! wasi:keyvalue 0.2.0-draft2.

use slight_capabilities::{Cursor, ErrorKind, check_key};
use wasmtime::{Result, component::Resource};

use super::{Bucket, Cas, bindings_draft2 as bindings, serve::serve_draft};
use crate::state::State;
use bindings::{
    atomics::{self, CasError},
    store::KeyResponse,
};

serve_draft! {
    bindings,

    async fn list_keys(
        &mut self,
        bucket: Resource<Bucket>,
        cursor: Option<String>,
    ) -> Result<Result<KeyResponse, Error>> {
        let page = self.keys(&bucket, cursor.map(Cursor::from)).await?;
        let response = page
            .map(|page| KeyResponse { keys: page.items, cursor: page.next.map(|cursor| cursor.as_str().to_owned()) });
        Ok(response.map_err(Into::into))
    }
}

impl atomics::Host for State {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: i64) -> Result<Result<i64, Error>> {
        Ok(State::increment(self, bucket, key, delta).await?.map_err(Into::into))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> Result<Result<(), CasError>> {
        let cas = self.table.delete(cas)?;
        Ok(self.try_swap(cas, value).await)
    }
}

impl atomics::HostCas for State {
    async fn new(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Resource<Cas>, Error>> {
        let bucket = self.table.get(&bucket)?.clone();
        Ok(self.new_cas(bucket, key).await.map_err(Into::into))
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Result<Result<Option<Vec<u8>>, Error>> {
        let cas = self.table.get(&cas)?;
        Ok(Ok(cas.entry.as_ref().map(|entry| entry.value.to_vec())))
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}

impl State {
    async fn new_cas(&mut self, bucket: Bucket, key: String) -> slight_capabilities::Result<Resource<Cas>> {
        let entry = self.shared.read_entry(&bucket, &key).await?;
        let cas = Cas { bucket, key, entry };
        let size = cas.size();
        let cas = self.push(cas)?;
        if let Err(error) = self.check_held(size) {
            // It was put there just now.
            let _ = self.table.delete(cas);
            return Err(error);
        }
        Ok(cas)
    }

    /// A conflict hands back a fresh handle, which has read what the winner wrote and can be tried at once.
    async fn try_swap(&mut self, cas: Cas, value: Vec<u8>) -> Result<(), CasError> {
        let Cas { bucket, key, entry } = cas;
        let swapped = async {
            self.shared.check_write(&bucket)?;
            check_key("key", &key)?;
            self.shared.check_value(&key, &value)?;
            let expected = entry.as_ref().map(|entry| &entry.version);
            let swap = bucket.bucket.swap(&key, expected, value.into());
            self.shared.guarded(bucket.call("key-value swap"), swap).await
        }
        .await;
        match swapped {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let fresh = self.new_cas(bucket, key).await.map_err(|error| CasError::StoreError(error.into()))?;
                Err(CasError::CasFailed(fresh))
            }
            Err(error) => Err(CasError::StoreError(error.into())),
        }
    }
}
