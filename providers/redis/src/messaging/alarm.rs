use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use redis::{Value, cmd};
use slight_capabilities::Result;
use tokio::time::sleep;

use super::keys::GroupKeys;
use crate::{link::Link, waiting::Waiting};

/// The longest that a member waits before it looks again: what became due meanwhile, because another member took a
/// message and died, is found that late.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

/// What wakes a member that has nothing to do.
///
/// Whoever makes a message available pushes an element to the group's wake list, if it has none, and one member that waits
/// there gets it. A blocking XREADGROUP would take messages before they are leased, and know nothing of retries.
pub(super) struct Alarm {
    /// One for all lists; on a cluster, where they are apart, one for each.
    idle: Vec<Line>,
    /// These go on when another was faster: what they get counts for the next time.
    waiting: FuturesUnordered<BoxFuture<'static, (Line, Result<()>)>>,
}

struct Line {
    wakes: Vec<String>,
    connection: Waiting,
}

impl Alarm {
    pub(super) fn new(link: &Link, sources: &[Arc<GroupKeys>]) -> Self {
        let wakes: Vec<_> = sources.iter().map(|source| source.wake.clone()).collect();
        let lines = if link.is_cluster() { wakes.into_iter().map(|wake| vec![wake]).collect() } else { vec![wakes] };
        let connection = || Waiting::new(link.target.as_ref().clone(), LONGEST);
        let idle = lines.into_iter().map(|wakes| Line { wakes, connection: connection() }).collect();
        Self { idle, waiting: FuturesUnordered::new() }
    }

    /// Returns when it is time to look, at the latest after `time`.
    pub(super) async fn wait(&mut self, time: Duration) -> Result<()> {
        let time = time.clamp(Duration::from_millis(1), LONGEST);
        self.waiting.extend(self.idle.drain(..).map(|line| line.wait(time).boxed()));
        tokio::select! {
            Some((line, result)) = self.waiting.next() => {
                self.idle.push(line);
                result
            }
            // The server ends the waits that began now. Others may have begun earlier, with more time.
            () = sleep(time + Duration::from_millis(100)) => Ok(()),
        }
    }
}

impl Line {
    async fn wait(mut self, time: Duration) -> (Self, Result<()>) {
        let mut command = cmd("BLPOP");
        command.arg(&self.wakes).arg(format!("{:.3}", time.as_secs_f64()));
        let result = self.connection.run::<Value>(&command).await;
        (self, result.map(drop))
    }
}
