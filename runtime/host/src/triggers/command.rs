//! `wasi:cli/run`, 0.2 and 0.3: once, with the host's own standard streams.

use wasmtime::{Result, component::InstancePre};
use wasmtime_wasi::{I32Exit, p2, p3};

use crate::{instances::Instances, state::State};

/// The command of a component, of either version.
pub(super) enum CommandPre {
    P2(p2::bindings::CommandPre<State>),
    P3(p3::bindings::CommandPre<State>),
}

impl CommandPre {
    /// Finds the command among the component's exports.
    ///
    /// # Errors
    /// When it is not there.
    pub fn new(pre: InstancePre<State>) -> Result<Self> {
        match p3::bindings::CommandPre::new(pre.clone()) {
            Ok(pre) => Ok(Self::P3(pre)),
            Err(_) => Ok(Self::P2(p2::bindings::CommandPre::new(pre)?)),
        }
    }
}

/// Runs the command to its end and gives its exit code.
///
/// # Errors
/// When it traps, or cannot be instantiated.
pub(crate) async fn run(instances: &Instances) -> Result<u8> {
    let mut store = instances.command_store()?;
    let ended = match CommandPre::new(instances.pre.clone())? {
        CommandPre::P2(pre) => {
            let command = pre.instantiate_async(&mut store).await?;
            command.wasi_cli_run().call_run(&mut store).await
        }
        CommandPre::P3(pre) => {
            let command = pre.instantiate_async(&mut store).await?;
            let run = store.run_concurrent(async |accessor| command.wasi_cli_run().call_run(accessor).await);
            run.await.and_then(|ended| ended)
        }
    };
    match ended {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(I32Exit(code)) => Ok(u8::try_from(*code).unwrap_or(1)),
            None => Err(error),
        },
    }
}
