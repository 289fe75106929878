use std::sync::Arc;

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
