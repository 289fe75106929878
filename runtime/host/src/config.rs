//! wasi:config, in its three versions of one shape: the `config` table of `[component]`.

use wasmtime::Result;

use crate::{bindings::wasi, state::State};

macro_rules! serve_config {
    ($bindings:path) => {
        const _: () = {
            use $bindings as store;

            impl store::Host for State {
                async fn get(&mut self, key: String) -> Result<Result<Option<String>, store::Error>> {
                    Ok(Ok(self.shared.services.config.get(&key).map(|value| value.expose().to_owned())))
                }

                async fn get_all(&mut self) -> Result<Result<Vec<(String, String)>, store::Error>> {
                    let config = self.shared.services.config.iter();
                    Ok(Ok(config.map(|(key, value)| (key.clone(), value.expose().to_owned())).collect()))
                }
            }
        };
    };
}

serve_config!(wasi::config0_2_0_draft::store);
serve_config!(wasi::config0_2_0_draft_2024_09_27::store);
serve_config!(wasi::config0_2_0_rc_1::store);
