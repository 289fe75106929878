use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, FromRedisValue, RedisError, cmd};
use slight_capabilities::{Bucket, Cursor, Entry, Error, KeyValue, Page, QualifiedName, Result, Version};

use crate::{
    errors,
    link::{Link, Lost},
    listing,
    script::{Call, Script},
};

/// What a string in Redis holds at most: `proto-max-bulk-len` by default. A longer one would cost the connection.
pub(crate) const MAX_VALUE_BYTES: usize = 512 * 1024 * 1024;

static SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
        redis.call('SET', KEYS[1], ARGV[2])
        return 1",
    )
});

/// All buckets below one location.
pub(crate) struct Buckets {
    link: Link,
    location: String,
}

impl Buckets {
    pub(crate) fn new(link: Link, location: String) -> Self {
        Self { link, location }
    }
}

#[async_trait]
impl KeyValue for Buckets {
    async fn open(&self, name: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        Ok(Arc::new(RedisBucket { link: self.link.clone(), prefix: prefix(&self.location, name) }))
    }
}

/// What the keys of a bucket begin with, and those of no other: neither a location nor an encoded name has a colon.
pub(crate) fn prefix(location: &str, bucket: &QualifiedName) -> String {
    format!("{location}:{}:", bucket.encoded())
}

/// One bucket: each entry is a string under the bucket's prefix and its own key.
struct RedisBucket {
    link: Link,
    prefix: String,
}

impl RedisBucket {
    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    fn command(&self, name: &str, key: &str) -> Cmd {
        let mut command = cmd(name);
        command.arg(self.key(key));
        command
    }

    /// Runs a command about one key.
    async fn run<T: FromRedisValue>(&self, key: &str, command: &Cmd, lost: Lost) -> Result<T> {
        self.link.answer(command, lost).await?.map_err(|error| self.failed(key, error, lost == Lost::SendAgain))
    }

    fn failed(&self, key: &str, error: RedisError, repeatable: bool) -> Error {
        // An older server says it of a script in its sentence alone.
        let wrong_type = |said: Option<&str>| said.is_some_and(|said| said.contains("WRONGTYPE"));
        if wrong_type(error.code()) || wrong_type(error.detail()) {
            return Error::invalid(format!(
                "the key {:?} in Redis holds no string, and so no entry of a bucket; see its TYPE, and delete or rename it",
                self.key(key)
            ));
        }
        errors::error(error, repeatable)
    }

    /// Redis tells by its sentence alone what is wrong with a counter; it changed nothing in either case.
    fn not_incremented(&self, key: &str, delta: i64, error: RedisError) -> Error {
        match error.detail().unwrap_or_default() {
            detail if detail.contains("not an integer") => {
                Error::invalid(format!("the value of key {key:?} is not a decimal 64-bit integer")).with_source(error)
            }
            detail if detail.contains("overflow") => {
                Error::invalid(format!("adding {delta} to the counter {key:?} would overflow 64 bits"))
                    .with_source(error)
            }
            _ => self.failed(key, error, false),
        }
    }

    fn command_of_many(&self, name: &str, keys: &[String]) -> Cmd {
        let mut command = cmd(name);
        for key in keys {
            command.arg(self.key(key));
        }
        command
    }
}

fn check_size(key: &str, value: &Bytes) -> Result<()> {
    if value.len() > MAX_VALUE_BYTES {
        let what = format!("the value of key {key:?}");
        return Err(Error::too_large(what, value.len() as u64, MAX_VALUE_BYTES as u64));
    }
    Ok(())
}

fn conflict(key: &str) -> Error {
    Error::conflict(format!("the entry {key:?} is not the one that was expected"))
}

#[async_trait]
impl Bucket for RedisBucket {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let value: Option<Vec<u8>> = self.run(key, &self.command("GET", key), Lost::SendAgain).await?;
        Ok(value.map(|value| {
            let value = Bytes::from(value);
            // Redis has no versions: the value itself is what a swap compares.
            Entry { version: Version(value.clone()), value }
        }))
    }

    async fn set(&self, key: &str, value: Bytes) -> Result<()> {
        check_size(key, &value)?;
        let mut command = self.command("SET", key);
        command.arg(&*value);
        self.link.run(&command, Lost::SendAgain).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.link.run(&self.command("UNLINK", key), Lost::SendAgain).await
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.link.run(&self.command("EXISTS", key), Lost::SendAgain).await
    }

    async fn keys(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        listing::page(&self.link, &self.prefix, cursor).await
    }

    async fn swap(&self, key: &str, expected: Option<&Version>, value: Bytes) -> Result<()> {
        check_size(key, &value)?;
        let swapped = match expected {
            Some(Version(expected)) => {
                let redis_key = self.key(key);
                let call = Call { keys: &[redis_key.as_bytes()], arguments: &[expected, &value] };
                let answer = self.link.script_answer(&SWAP, call, Lost::Report).await?;
                answer.map_err(|error| self.failed(key, error, false))?
            }
            None => {
                let mut command = self.command("SET", key);
                command.arg(&*value).arg("NX");
                let done: Option<String> = self.link.run(&command, Lost::Report).await?;
                done.is_some()
            }
        };
        if swapped { Ok(()) } else { Err(conflict(key)) }
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        let mut command = self.command("INCRBY", key);
        command.arg(delta);
        let answer = self.link.answer(&command, Lost::Report).await?;
        answer.map_err(|error| self.not_incremented(key, delta, error))
    }

    async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Bytes>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let values: Vec<Option<Vec<u8>>> = self.link.run(&self.command_of_many("MGET", keys), Lost::SendAgain).await?;
        Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>) -> Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut command = cmd("MSET");
        for (key, value) in &entries {
            check_size(key, value)?;
            command.arg(self.key(key)).arg(&**value);
        }
        self.link.run(&command, Lost::SendAgain).await
    }

    async fn delete_many(&self, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.link.run(&self.command_of_many("UNLINK", keys), Lost::SendAgain).await
    }
}
