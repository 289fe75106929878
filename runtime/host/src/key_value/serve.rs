//! The interfaces of wasi:keyvalue in terms of [`State`]'s calls, written once for both drafts.

/// What both drafts share, up to the types that each has of its own: the error cases (`access-denied` for what a route or
/// backend forbids, `no-such-store` when the backend's location is gone, a sentence for the rest), `batch`, and `store`
/// but for `list-keys`, which is given.
macro_rules! serve_draft {
    ($bindings:ident, $($list_keys:tt)*) => {
        use $bindings::store::Error;

        impl From<slight_capabilities::Error> for Error {
            fn from(error: slight_capabilities::Error) -> Self {
                match error.kind() {
                    slight_capabilities::ErrorKind::Denied => Self::AccessDenied,
                    slight_capabilities::ErrorKind::NotFound => Self::NoSuchStore,
                    _ => Self::Other(error.to_string()),
                }
            }
        }

        impl $bindings::store::Host for State {
            async fn open(&mut self, identifier: String) -> Result<Result<Resource<Bucket>, Error>> {
                Ok(self.open_bucket(identifier).await.map_err(Into::into))
            }
        }

        impl $bindings::store::HostBucket for State {
            async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<Option<Vec<u8>>, Error>> {
                Ok(State::get(self, bucket, key).await?.map_err(Into::into))
            }

            async fn set(
                &mut self,
                bucket: Resource<Bucket>,
                key: String,
                value: Vec<u8>,
            ) -> Result<Result<(), Error>> {
                Ok(State::set(self, bucket, key, value).await?.map_err(Into::into))
            }

            async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<(), Error>> {
                Ok(State::delete(self, bucket, key).await?.map_err(Into::into))
            }

            async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Result<Result<bool, Error>> {
                Ok(State::exists(self, bucket, key).await?.map_err(Into::into))
            }

            $($list_keys)*

            async fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
                self.table.delete(bucket)?;
                Ok(())
            }
        }

        impl $bindings::batch::Host for State {
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
    };
}

pub(super) use serve_draft;
