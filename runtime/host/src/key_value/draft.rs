//! wasi:keyvalue 0.2.0-draft: counters and cursors are `u64`, and there is no compare-and-swap.

use slight_capabilities as capabilities;
use wasmtime::{Result, component::Resource};

use super::{Bucket, bindings_draft as bindings, serve::serve_draft};
use crate::state::State;
use bindings::{atomics, store::KeyResponse};

serve_draft! {
    bindings,

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
