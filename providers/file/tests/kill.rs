//! What the file provider acknowledged survives the death of the process, and no half object is ever seen.

use std::{path::PathBuf, sync::Arc};

use slight_capabilities::{Capability, Provider};
use slight_kill::{KillTest, Opening, Outcome};
use slight_provider_file::{BlobSettings, Files, Settings};

fn open(directory: PathBuf) -> Opening {
    Box::pin(async move {
        let settings = Settings { path: directory, blob: BlobSettings::default() };
        Ok(Arc::new(Files::new(settings)?) as Arc<dyn Provider>)
    })
}

#[test]
fn acknowledged_writes_survive_kill_9() -> Outcome {
    let test = KillTest {
        test: "acknowledged_writes_survive_kill_9",
        directory: env!("CARGO_TARGET_TMPDIR"),
        open,
        capabilities: &[Capability::Blob],
    };
    test.run()
}
