use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use slight_capabilities::{ErrorKind, Result};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use super::Outage;
use crate::check::{Failure, Outcome, described, require};

/// Tasks that call at the same time.
const TASKS: usize = 4;

/// No call takes longer, whatever the server does: as much as the runtime gives a call, and more on a busy machine.
pub(super) const CALL: Duration = Duration::from_secs(15);

/// How long what must come about may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Calls that go on while the server ends and comes back.
#[derive(Default)]
pub(super) struct Load {
    acknowledged: AtomicUsize,
    refused: AtomicUsize,
    over: AtomicBool,
}

impl Load {
    /// Starts one task of the load for each number.
    pub fn start<T, Calling>(
        self: &Arc<Self>,
        mut calls: impl FnMut(Arc<Self>, usize) -> Calling,
    ) -> JoinSet<Outcome<T>>
    where
        T: Send + 'static,
        Calling: Future<Output = Outcome<T>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for number in 0..TASKS {
            let (load, calling) = (self.clone(), calls(self.clone(), number));
            tasks.spawn(async move {
                // A failure ends the load, which is waited for.
                calling.await.inspect_err(|_| load.over.store(true, Ordering::SeqCst))
            });
        }
        tasks
    }

    /// Ends the server under the load, lets calls fail, starts it again, and waits until calls succeed.
    pub async fn outage(&self, outage: &mut Outage) -> Outcome {
        self.wait_for("calls that are acknowledged", &self.acknowledged, 100).await?;
        outage.kill();
        self.wait_for("calls that are refused", &self.refused, 2 * TASKS).await?;
        outage.restart();
        self.wait_for("calls that are acknowledged after the outage", &self.acknowledged, 100).await
    }

    /// Ends the load, and gives what its tasks return, in any order.
    pub async fn end<T: 'static>(&self, mut tasks: JoinSet<Outcome<T>>) -> Outcome<Vec<T>> {
        self.over.store(true, Ordering::SeqCst);
        let mut results = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            results.push(ended.map_err(|panic| Failure::new(format!("expected no panic, found {panic}")))??);
        }
        Ok(results)
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// Makes a call, and says whether it was acknowledged. If not, the error has to be an honest one, in time.
    pub async fn call<T>(&self, call: impl Future<Output = Result<T>>) -> Outcome<bool> {
        let started = Instant::now();
        let result = call.await;
        require(started.elapsed() < CALL, format_args!("expected an answer within {CALL:?}, found one later"))?;
        match result {
            Ok(_) => {
                self.acknowledged.fetch_add(1, Ordering::SeqCst);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(false)
            }
            Err(error) => {
                Err(Failure::new(format!("expected Unavailable or Timeout in an outage, found {}", described(&error))))
            }
        }
    }

    /// Waits for so many more, or for a failure of the load.
    async fn wait_for(&self, what: &str, count: &AtomicUsize, more: usize) -> Outcome {
        let end = count.load(Ordering::SeqCst) + more;
        let reached = async {
            while count.load(Ordering::SeqCst) < end && !self.is_over() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let missing = |_| Failure::new(format!("expected {what}, found none within {PATIENCE:?}"));
        timeout(PATIENCE, reached).await.map_err(missing)
    }
}
