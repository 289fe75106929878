/// The calls that both drafts of `wasi:keyvalue` have, in terms of the crate's own `wasi` module: what is written is an
/// answer or the error of the store. The argument turns an entry of `get-many` into JSON.
#[macro_export]
macro_rules! key_value_calls {
    ($entry:expr) => {
        use wasi::keyvalue::{batch, store};

        /// The error's WIT case, with the sentence if it has one.
        fn case(error: &store::Error) -> String {
            match error {
                store::Error::NoSuchStore => "no-such-store".into(),
                store::Error::AccessDenied => "access-denied".into(),
                store::Error::Other(sentence) => format!("other: {sentence}"),
            }
        }

        /// What may be done with one key by any draft; `None` for other paths.
        fn key_call(request: &$crate::Request) -> Option<Result<$crate::Answer, store::Error>> {
            let method = request.method();
            Some(match (method.as_str(), request.segments().as_slice()) {
                ("GET", ["kv", bucket, key]) => get(bucket, key),
                ("PUT", ["kv", bucket, key]) => set(bucket, key, &request.body()),
                ("DELETE", ["kv", bucket, key]) => delete(bucket, key),
                ("GET", ["exists", bucket, key]) | ("HEAD", ["kv", bucket, key]) => exists(bucket, key),
                ("POST", ["batch", bucket]) => run_batch(bucket, &request.body()),
                ("POST", ["time", bucket, key]) => time(bucket, key, request.number("times", 1000)),
                _ => return None,
            })
        }

        fn get(bucket: &str, key: &str) -> Result<$crate::Answer, store::Error> {
            Ok(match store::open(bucket)?.get(key)? {
                Some(value) => $crate::Answer::bytes(value),
                None => $crate::Answer::not_found("no such key"),
            })
        }

        fn set(bucket: &str, key: &str, value: &[u8]) -> Result<$crate::Answer, store::Error> {
            store::open(bucket)?.set(key, value)?;
            Ok($crate::Answer::text("ok"))
        }

        fn delete(bucket: &str, key: &str) -> Result<$crate::Answer, store::Error> {
            store::open(bucket)?.delete(key)?;
            Ok($crate::Answer::text("ok"))
        }

        fn exists(bucket: &str, key: &str) -> Result<$crate::Answer, store::Error> {
            store::open(bucket)?.exists(key).map($crate::Answer::text)
        }

        /// Runs a JSON object's `set` (object of strings), `get` and `delete` (lists of keys), in this order.
        fn run_batch(bucket: &str, body: &[u8]) -> Result<$crate::Answer, store::Error> {
            use $crate::serde_json::{Value, from_slice, json};

            let Ok(wanted) = from_slice::<Value>(body) else {
                return Ok($crate::Answer::text("the body is not JSON").status(400));
            };
            let bucket = store::open(bucket)?;
            if let Some(pairs) = wanted["set"].as_object() {
                let pairs: Vec<(String, Vec<u8>)> =
                    pairs.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().into())).collect();
                batch::set_many(&bucket, &pairs)?;
            }
            let mut found: Vec<Value> = Vec::new();
            if wanted["get"].is_array() {
                found.extend(batch::get_many(&bucket, &$crate::strings(&wanted["get"]))?.into_iter().map($entry));
            }
            if wanted["delete"].is_array() {
                batch::delete_many(&bucket, &$crate::strings(&wanted["delete"]))?;
            }
            Ok($crate::Answer::json(&json!(found)))
        }

        /// Nanoseconds that one `get` takes, in a loop within one invocation.
        fn time(bucket: &str, key: &str, times: u32) -> Result<$crate::Answer, store::Error> {
            let bucket = store::open(bucket)?;
            let start = std::time::Instant::now();
            for _ in 0..times {
                bucket.get(key)?;
            }
            Ok($crate::Answer::text(start.elapsed().as_nanos() / u128::from(times.max(1))))
        }
    };
}
