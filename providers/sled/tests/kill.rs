//! What the sled provider acknowledged survives the death of the process.

use std::{path::PathBuf, sync::Arc};

use slight_capabilities::{Capability, Provider};
use slight_kill::{KillTest, Opening, Outcome};
use slight_provider_sled::{KeyValueSettings, Settings, Sled};

fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let settings = Settings { path: directory.join("slight.sled"), key_value: KeyValueSettings::default() };
        Ok(Arc::new(Sled::new(settings)?) as Arc<dyn Provider>)
    })
}

#[test]
fn acknowledged_writes_survive_kill_9() -> Outcome {
    let test = KillTest {
        test: "acknowledged_writes_survive_kill_9",
        directory: env!("CARGO_TARGET_TMPDIR"),
        open,
        capabilities: &[Capability::KeyValue],
    };
    test.run()
}
