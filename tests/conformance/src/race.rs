use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll::{Pending, Ready},
};

use tokio::{sync::Barrier, task::JoinSet};

use crate::check::{Failure, Outcome};

/// Starts `count` tasks at once and gives what they returned, in any order.
pub(crate) async fn race<T, Running>(count: usize, mut start: impl FnMut(usize) -> Running) -> Outcome<Vec<T>>
where
    T: Send + 'static,
    Running: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (barrier, running) = (barrier.clone(), start(number));
        tasks.spawn(async move {
            barrier.wait().await;
            running.await
        });
    }
    let mut results = Vec::with_capacity(count);
    while let Some(result) = tasks.join_next().await {
        results.push(result.map_err(|error| Failure::new(format!("expected no panic, found {error}")))?);
    }
    Ok(results)
}

/// Drops a call in the middle, when it waits for the `wait`th time: `None`. One that waits less often comes to its end.
pub(crate) async fn until_wait<T>(wait: usize, call: impl Future<Output = T>) -> Option<T> {
    let (mut call, mut waits) = (pin!(call), 0);
    poll_fn(|context| match call.as_mut().poll(context) {
        Ready(done) => Ready(Some(done)),
        Pending => {
            waits += 1;
            if waits < wait { Pending } else { Ready(None) }
        }
    })
    .await
}

/// Something that goes on in a task of its own until it is stopped.
pub(crate) struct Meanwhile<T> {
    over: Arc<AtomicBool>,
    task: JoinSet<Outcome<T>>,
}

impl<T: Send + 'static> Meanwhile<T> {
    pub(crate) fn start<Running>(running: impl FnOnce(Arc<AtomicBool>) -> Running) -> Self
    where
        Running: Future<Output = Outcome<T>> + Send + 'static,
    {
        let (over, mut task) = (Arc::<AtomicBool>::default(), JoinSet::new());
        task.spawn(running(over.clone()));
        Self { over, task }
    }

    pub(crate) async fn stop(mut self) -> Outcome<T> {
        self.over.store(true, Ordering::SeqCst);
        let ended = self.task.join_next().await.ok_or_else(|| Failure::new("there is no task"))?;
        ended.map_err(|error| Failure::new(format!("expected no panic, found {error}")))?
    }
}
