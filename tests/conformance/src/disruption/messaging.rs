use std::{
    collections::{BTreeSet, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt;
use slight_capabilities::{Error, Messaging, QualifiedName, Result, Subscription};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    BOUND, Loss, Trial, When,
    observed::{Errors, Observed, lost_no_more, whole_again},
};
use crate::{
    check::{Failure, Outcome, require},
    messaging::{
        message,
        subscriber::{ack, text_of},
    },
};

/// Messages of each topic that are there before, and wait in one of its groups.
const BEFORE: usize = 5;

/// How long a message may take that was acknowledged while the provider becomes whole. It is not lost then, only late.
const LATE: Duration = Duration::from_secs(10);

/// How long nothing may come until what did not come is taken for lost.
const QUIET: Duration = Duration::from_secs(2);

/// When a message was sent.
const EARLIER: u8 = 0;
const AFTER: u8 = 1;
const UNDONE: u8 = 2;

pub(super) async fn try_on<B: Send + Sync>(trial: &Trial<'_, B>) -> Outcome<Observed> {
    let messaging = trial.stage.provider.messaging();
    let messaging = messaging.ok_or_else(|| Failure::new("expected a provider of messaging, found none"))?;
    let outcome = watched(trial, &messaging).await;
    for topic in [&trial.names.name, &trial.names.neighbour] {
        for group in [&trial.names.group, &trial.names.waiting_group] {
            // The outcome tells more than what a broken backend says to this.
            let _ = messaging.delete_group(topic, group).await;
        }
    }
    outcome
}

async fn watched<B: Send + Sync>(trial: &Trial<'_, B>, messaging: &Arc<dyn Messaging>) -> Outcome<Observed> {
    let (row, names) = (trial.row, &trial.names);
    let topics = [names.name.clone(), names.neighbour.clone()];
    for topic in &topics {
        messaging.create_group(topic, &names.group).await?;
        messaging.create_group(topic, &names.waiting_group).await?;
    }
    let sender = Arc::new(Sender::new(messaging.clone()));
    let member = Member::start(messaging.clone(), &topics, &names.group, sender.errors.clone());
    for topic in &topics {
        for _ in 0..BEFORE {
            sender.send(topic).await?;
        }
    }
    let before = sender.sent_since(EARLIER, &topics);
    member.gets(&before).await?;
    let load = (trial.when == When::UnderLoad).then(|| {
        let (sender, topics) = (sender.clone(), topics.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            for topic in topics.iter().cycle() {
                // What fails is noted.
                let _ = sender.send(topic).await;
                sleep(Duration::from_millis(2)).await;
            }
        }))
    });

    trial.disrupt().await?;
    sender.now.store(AFTER, Ordering::SeqCst);
    if row.undo.is_some() {
        let _ = sender.send(&names.name).await;
        if !row.everywhere {
            let beside = member.round(&sender, &names.neighbour).await;
            beside.map_err(|error| Failure::from(error).within("the neighbour, before it was undone"))?;
        }
        trial.undo().await?;
        sender.now.store(UNDONE, Ordering::SeqCst);
    }
    let whole_after = whole_again(3, || async {
        for topic in &topics {
            member.round(&sender, topic).await?;
        }
        Ok(())
    })
    .await?;
    drop(load);

    let spared = if row.everywhere { &topics[..0] } else { &topics[1..] };
    let kept_since = match (row.loss, row.undo.is_some()) {
        (Loss::Nothing, false) => EARLIER,
        (_, false) => AFTER,
        (_, true) => UNDONE,
    };
    let mut kept = sender.sent_since(kept_since, &topics);
    kept.extend(sender.sent_since(EARLIER, spared));
    member.gets(&kept).await?;
    let waiting = Member::start(messaging.clone(), &topics, &names.waiting_group, sender.errors.clone());
    let kept_and_sent_once = kept.iter().filter(|text| row.loss == Loss::Nothing || !before.contains(*text)).cloned();
    waiting
        .gets(&kept_and_sent_once.collect())
        .await
        .map_err(|failure| failure.within("the group without a member"))?;
    let hit = topics.iter().filter(|topic| row.everywhere || **topic == names.name).cloned().collect::<Vec<_>>();
    let held: BTreeSet<_> = before.intersection(&sender.sent_since(EARLIER, &hit)).cloned().collect();
    let gone = waiting.never_gets(&held).await;
    lost_no_more(row, "messages that waited", (gone, held.len()))?;
    Ok(Observed { errors: sender.errors.all(), whole_after, lost: (gone, held.len()) })
}

/// Publishes, and remembers what was acknowledged.
struct Sender {
    messaging: Arc<dyn Messaging>,
    errors: Arc<Errors>,
    number: AtomicUsize,
    now: AtomicU8,
    acknowledged: Mutex<Vec<(QualifiedName, String, u8)>>,
}

impl Sender {
    fn new(messaging: Arc<dyn Messaging>) -> Self {
        let (number, now) = (AtomicUsize::new(0), AtomicU8::new(EARLIER));
        Self { messaging, errors: Arc::default(), number, now, acknowledged: Mutex::default() }
    }

    /// Sends a message to a topic, and gives its text.
    async fn send(&self, topic: &QualifiedName) -> Result<String> {
        let began = self.now.load(Ordering::SeqCst);
        let text = format!("{} {}", topic.name, self.number.fetch_add(1, Ordering::SeqCst));
        let published = self.messaging.publish(topic, message(&text)).await;
        self.errors.note(&published);
        published?;
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        acknowledged.push((topic.clone(), text.clone(), began));
        Ok(text)
    }

    /// The texts that were acknowledged, of messages whose sending began then or later.
    fn sent_since(&self, time: u8, topics: &[QualifiedName]) -> BTreeSet<String> {
        let acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let since = acknowledged.iter().filter(|(topic, _, began)| *began >= time && topics.contains(topic));
        since.map(|(_, text, _)| text.clone()).collect()
    }
}

/// A member of a group that subscribes again where its stream ends, as the runtime does, and acks what comes.
struct Member {
    seen: watch::Receiver<HashSet<String>>,
    _task: AbortOnDropHandle<()>,
}

impl Member {
    fn start(messaging: Arc<dyn Messaging>, topics: &[QualifiedName], group: &str, errors: Arc<Errors>) -> Self {
        let (tell, seen) = watch::channel(HashSet::new());
        let subscription = Subscription {
            topics: topics.to_vec(),
            group: group.to_owned(),
            capacity: 10,
            visibility: Duration::from_secs(5),
        };
        let receiving = async move {
            loop {
                match messaging.subscribe(subscription.clone()).await {
                    Err(error) => errors.add(&error),
                    Ok(mut deliveries) => {
                        while let Some(delivery) = deliveries.next().await {
                            match delivery {
                                Err(error) => errors.add(&error),
                                Ok(delivery) => {
                                    tell.send_modify(|seen| _ = seen.insert(text_of(&*delivery)));
                                    // Where that fails it comes once more.
                                    let _ = ack(delivery).await;
                                }
                            }
                        }
                    }
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        Self { seen, _task: AbortOnDropHandle::new(tokio::spawn(receiving)) }
    }

    /// Sends a message, and waits for it.
    async fn round(&self, sender: &Sender, topic: &QualifiedName) -> Result<()> {
        let text = sender.send(topic).await?;
        let mut seen = self.seen.clone();
        match timeout(LATE, seen.wait_for(|seen| seen.contains(&text))).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::timeout(format!("{text:?} was acknowledged and has not come within {LATE:?}"))),
        }
    }

    /// Requires that all of these come.
    async fn gets(&self, texts: &BTreeSet<String>) -> Outcome {
        let mut seen = self.seen.clone();
        let came = timeout(BOUND, seen.wait_for(|seen| texts.iter().all(|text| seen.contains(text)))).await.is_ok();
        let missing: Vec<_> = texts.iter().filter(|text| !self.seen.borrow().contains(*text)).cloned().collect();
        require(
            came && missing.is_empty(),
            format_args!(
                "expected {} acknowledged messages, found {} of them missing, the first {:?}",
                texts.len(),
                missing.len(),
                missing.first()
            ),
        )
    }

    /// How many of these do not come, as far as waiting can tell.
    async fn never_gets(&self, texts: &BTreeSet<String>) -> usize {
        let mut seen = self.seen.clone();
        loop {
            let missing = texts.iter().filter(|text| !seen.borrow_and_update().contains(*text)).count();
            if missing == 0 || timeout(QUIET, seen.changed()).await.is_err() {
                return missing;
            }
        }
    }
}
