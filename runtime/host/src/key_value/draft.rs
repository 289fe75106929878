//! wasi:keyvalue 0.2.0-draft: counters and cursors are `u64`, and there is no compare-and-swap.

use slight_capabilities as capabilities;
use wasmtime::{Result, component::Resource};

use super::{Bucket, bindings_draft as bindings};
use crate::state::State;
use bindings::{
    atomics, batch,
    store::{self, Error, KeyResponse},
};

impl store::Host for State {
    async fn open(&mut self, identifier: String) -> Result<Result<Resource<Bucket>, Error>> {
        Ok(self.open_bucket(identifier).await.map_err(Into::into))
    }
}

impl store::HostBucket for State {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Option<Vec<u8>>, Error>> {
        Ok(State::get(self, bucket, key).await?.map_err(Into::into))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<Result<(), Error>> {
        Ok(State::set(self, bucket, key, value).await?.map_err(Into::into))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<(), Error>> {
        Ok(State::delete(self, bucket, key).await?.map_err(Into::into))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<bool, Error>> {
        Ok(State::exists(self, bucket, key).await?.map_err(Into::into))
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Result<Result<KeyResponse, Error>> {
        let name = self.table.get(&bucket)?.name.clone();
        let cursor = match cursor.map(|number| self.shared.cursors.find(&name, number)).transpose() {
            Ok(cursor) => cursor,
            Err(error) => return Ok(Err(error.into())),
        };
        let page = self.keys(&bucket, cursor).await?;
        let response = page.map(|page| KeyResponse {
            keys: page.items,
            cursor: page.next.map(|cursor| self.shared.cursors.number(&name, cursor)),
        });
        Ok(response.map_err(Into::into))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for State {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Result<Result<u64, Error>> {
        let Ok(delta) = i64::try_from(delta) else {
            return Ok(Err(Error::Other(format!("the delta {delta} is more than {}", i64::MAX))));
        };
        let sum = State::increment(self, bucket, key, delta).await?;
        let sum = sum.and_then(|sum| {
            u64::try_from(sum).map_err(|_| {
                capabilities::Error::invalid(format!("the counter is {sum}, which this version cannot express"))
            })
        });
        Ok(sum.map_err(Into::into))
    }
}

impl batch::Host for State {
    async fn get_many(
        &mut self,
        bucket: Resource<Bucket>,
        keys: Vec<String>,
    ) -> Result<Result<Vec<Option<(String, Vec<u8>)>>, Error>> {
        let values = State::get_many(self, bucket, keys).await?;
        let values = values.map(|values| values.into_iter().map(|(key, value)| Some((key, value?))).collect());
        Ok(values.map_err(Into::into))
    }

    async fn set_many(
        &mut self,
        bucket: Resource<Bucket>,
        entries: Vec<(String, Vec<u8>)>,
    ) -> Result<Result<(), Error>> {
        Ok(State::set_many(self, bucket, entries).await?.map_err(Into::into))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Result<Result<(), Error>> {
        Ok(State::delete_many(self, bucket, keys).await?.map_err(Into::into))
    }
}
