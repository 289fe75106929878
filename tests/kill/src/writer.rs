use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream};
use slight_capabilities::{
    Bucket, Capability, Container, ErrorKind, Message, Messaging, Outcome as Settlement, Provider, Result, Subscription,
};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{KillTest, Outcome, content::Content, messages::GROUPS, protocol::Line, protocol::Orders, random::Random};

/// The names that everything is under.
pub(crate) const BUCKET: &str = "killed";
pub(crate) const COUNTER: &str = "counter";

/// How many tasks do one kind of work.
const TASKS: u64 = 4;

/// How many names each of them writes to.
const NAMES: u64 = 12;

/// A writer that nobody kills ends by itself.
const LONGEST: Duration = Duration::from_secs(60);

/// Writes until it is killed.
pub(crate) fn run(test: &KillTest, orders: &Orders) -> Outcome {
    // The test harness may have begun a line.
    println!();
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let ended = runtime.block_on(async {
        let provider = test.provider(orders.directory.clone()).await?;
        let mut tasks = JoinSet::new();
        for capability in test.capabilities {
            start(*capability, &*provider, orders, &mut tasks).await.map_err(|error| error.to_string())?;
        }
        Line::Ready.tell();
        match tokio::time::timeout(LONGEST, tasks.join_next()).await {
            Err(_) => Err("nobody killed it".to_owned()),
            Ok(Some(Ok(Err(error)))) => Err(format!("{:?}: {error}", error.kind())),
            Ok(other) => Err(format!("a task ended: {other:?}")),
        }
    });
    if let Err(what) = &ended {
        Line::Wrong(what.clone()).tell();
    }
    ended
}

async fn start(
    capability: Capability,
    provider: &dyn Provider,
    orders: &Orders,
    tasks: &mut JoinSet<Result<()>>,
) -> Result<()> {
    match capability {
        Capability::KeyValue => {
            let Some(store) = provider.key_value() else { return Ok(()) };
            let bucket = store.open(&BUCKET.into()).await?;
            for task in 0..TASKS {
                tasks.spawn(entries(bucket.clone(), Work::new(orders, capability, task)));
                tasks.spawn(increments(bucket.clone()));
            }
        }
        Capability::Blob => {
            let Some(store) = provider.blob() else { return Ok(()) };
            let container = match store.create(&BUCKET.into()).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => store.get(&BUCKET.into()).await?,
                created => created?,
            };
            for task in 0..TASKS {
                tasks.spawn(objects(container.clone(), Work::new(orders, capability, task)));
            }
        }
        Capability::Messaging => {
            let Some(messaging) = provider.messaging() else { return Ok(()) };
            for group in GROUPS {
                messaging.create_group(&BUCKET.into(), group).await?;
            }
            for task in 0..TASKS {
                tasks.spawn(publishes(messaging.clone(), Work::new(orders, capability, task)));
            }
            for (task, group) in (TASKS..).zip(GROUPS.into_iter().cycle().take(GROUPS.len() * 2)) {
                tasks.spawn(takes(messaging.clone(), group, Work::new(orders, capability, task)));
            }
        }
    }
    Ok(())
}

/// The choices of one task.
struct Work {
    capability: Capability,
    task: u64,
    random: Random,
    /// That of the last content. No other task, and no writer before or after, has the same.
    number: u64,
}

impl Work {
    fn new(orders: &Orders, capability: Capability, task: u64) -> Self {
        let place = orders.round * 64 + task;
        let random = Random::new(orders.seed ^ (capability as u64) << 32 ^ place << 40);
        Self { capability, task, random, number: place * 1_000_000 }
    }

    fn name(&mut self) -> String {
        let number = self.random.below(NAMES);
        match number % 4 {
            0 => format!("{}/{number}", self.task),
            // Side by side with that above, and a name that needs encoding.
            1 => format!("{}/{}/b", self.task, number - 1),
            2 => format!("{}//é{number}", self.task),
            _ => format!("{}-{number}", self.task),
        }
    }

    /// Of the sizes given, most often the first.
    fn content(&mut self, sizes: [u64; 3]) -> Content {
        let [small, middle, large] = sizes;
        let end = match self.random.below(20) {
            0 => large,
            1..6 => middle,
            _ => small,
        };
        self.number += 1;
        Content { number: self.number, size: self.random.below(end + 1) as usize }
    }

    fn begin(&self, name: &str, content: Option<Content>) {
        Line::Begin(self.capability, name.to_owned(), content).tell();
    }

    fn done(&self, name: &str) {
        Line::Done(self.capability, name.to_owned()).tell();
    }
}

async fn entries(bucket: Arc<dyn Bucket>, mut work: Work) -> Result<()> {
    loop {
        let name = work.name();
        let content = work.content([200, 16 * 1024, 700 * 1024]);
        match work.random.below(8) {
            0 => {
                work.begin(&name, None);
                bucket.delete(&name).await?;
            }
            1..4 => {
                // Nobody else writes to this name: the swap succeeds.
                let entry = bucket.get(&name).await?;
                work.begin(&name, Some(content));
                bucket.swap(&name, entry.as_ref().map(|entry| &entry.version), content.bytes()).await?;
            }
            4 => {
                let other = format!("{name}+");
                let second = work.content([200, 16 * 1024, 16 * 1024]);
                work.begin(&name, Some(content));
                work.begin(&other, Some(second));
                bucket.set_many(vec![(name.clone(), content.bytes()), (other.clone(), second.bytes())]).await?;
                work.done(&other);
            }
            _ => {
                work.begin(&name, Some(content));
                bucket.set(&name, content.bytes()).await?;
            }
        }
        work.done(&name);
    }
}

async fn increments(bucket: Arc<dyn Bucket>) -> Result<()> {
    loop {
        Line::Increment.tell();
        Line::Sum(bucket.increment(COUNTER, 1).await?).tell();
    }
}

async fn objects(container: Arc<dyn Container>, mut work: Work) -> Result<()> {
    loop {
        let name = work.name();
        if work.random.below(5) == 0 {
            work.begin(&name, None);
            container.delete(std::slice::from_ref(&name)).await?;
        } else {
            let content = work.content([1000, 300 * 1024, 3 * 1024 * 1024]);
            let bytes = content.bytes();
            let chunks: Vec<_> = bytes.chunks(64 * 1024).map(|chunk| Ok(bytes.slice_ref(chunk))).collect();
            work.begin(&name, Some(content));
            container.write(&name, Box::pin(stream::iter(chunks))).await?;
        }
        work.done(&name);
    }
}

async fn publishes(messaging: Arc<dyn Messaging>, mut work: Work) -> Result<()> {
    loop {
        let content = work.content([200, 16 * 1024, 200 * 1024]);
        let metadata = vec![("number".to_owned(), content.number.to_string())];
        Line::Publish(content).tell();
        messaging.publish(&BUCKET.into(), Message { data: content.bytes(), metadata, ..Message::default() }).await?;
        Line::Published(content.number).tell();
    }
}

async fn takes(messaging: Arc<dyn Messaging>, group: &'static str, mut work: Work) -> Result<()> {
    // Leases that outlive the process: they must be void when it is dead.
    let visibility = Duration::from_secs(3600);
    let subscription = Subscription { topics: vec![BUCKET.into()], group: group.to_owned(), capacity: 8, visibility };
    let mut deliveries = messaging.subscribe(subscription).await?;
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        let number = number_of(delivery.message()).unwrap_or_default();
        Line::Taken(group.to_owned(), number, delivery.count()).tell();
        match work.random.below(8) {
            // Dropped: it stays leased.
            0 => {}
            1 => delivery.settle(Settlement::Retry { after: Duration::ZERO }).await?,
            2 => delivery.settle(Settlement::Retry { after: Duration::from_secs(1) }).await?,
            _ => {
                Line::Ack(group.to_owned(), number).tell();
                delivery.settle(Settlement::Ack).await?;
                Line::Acked(group.to_owned(), number).tell();
            }
        }
    }
    Ok(())
}

pub(crate) fn number_of(message: &Message) -> Option<u64> {
    message.metadata.first().and_then(|(_, number)| number.parse().ok())
}
