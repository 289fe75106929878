/// `GET /config/<key>` and `GET /config`, of whichever version of `wasi:config` the crate's `wasi` module has.
#[macro_export]
macro_rules! serve_config {
    () => {
        $crate::serve_http!(handle);

        fn handle(request: $crate::Request) -> $crate::Answer {
            use wasi::config::store::Error;

            let result = match request.segments().as_slice() {
                ["config"] => all(),
                ["config", key] => one(key),
                _ => Ok($crate::Answer::not_found("no such path")),
            };
            result.unwrap_or_else(|error| match error {
                Error::Upstream(sentence) => $crate::Answer::error(format!("upstream: {sentence}")),
                Error::Io(sentence) => $crate::Answer::error(format!("io: {sentence}")),
            })
        }

        fn one(key: &str) -> Result<$crate::Answer, wasi::config::store::Error> {
            Ok(match wasi::config::store::get(key)? {
                Some(value) => $crate::Answer::text(value),
                None => $crate::Answer::not_found("no such setting"),
            })
        }

        fn all() -> Result<$crate::Answer, wasi::config::store::Error> {
            let settings = wasi::config::store::get_all()?;
            let settings = settings.into_iter().map(|(key, value)| (key, value.into())).collect();
            Ok($crate::Answer::json(&$crate::serde_json::Value::Object(settings)))
        }
    };
}
