use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use futures_util::StreamExt;
use slight_capabilities::{Message, Outcome};

use super::*;

/// A delivery that notes by its count when it is given back.
struct Numbered {
    count: u32,
    over: Arc<AtomicBool>,
    given_back: Arc<Mutex<Vec<u32>>>,
    message: Message,
    _room: Room,
}

#[async_trait]
impl Delivery for Numbered {
    fn topic(&self) -> &str {
        "topic"
    }

    fn message(&self) -> &Message {
        &self.message
    }

    fn count(&self) -> u32 {
        self.count
    }

    async fn extend(&mut self) -> Result<()> {
        Ok(())
    }

    async fn settle(self: Box<Self>, _: Outcome) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Leased for Numbered {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn give_back(self) {
        self.given_back.lock().unwrap().push(self.count);
    }
}

/// Makes deliveries.
#[derive(Default)]
struct Server {
    over: Arc<AtomicBool>,
    given_back: Arc<Mutex<Vec<u32>>>,
}

impl Server {
    fn lease(&self, rooms: Vec<Room>) -> Vec<Result<Numbered>> {
        let numbered = (1..).zip(rooms).map(|(count, room)| {
            let (over, given_back) = (self.over.clone(), self.given_back.clone());
            Ok(Numbered { count, over, given_back, message: Message::default(), _room: room })
        });
        numbered.collect()
    }

    fn given_back(&self) -> Vec<u32> {
        let mut counts = self.given_back.lock().unwrap().clone();
        counts.sort_unstable();
        counts
    }
}

#[tokio::test]
async fn room_is_taken_by_deliveries_until_they_end() {
    let server = Server::default();
    let (outlet, mut deliveries) = Subscriptions::default().open(2);
    let rooms = outlet.room(32).await.unwrap();
    assert_eq!(rooms.len(), 2);
    let leased = server.lease(rooms);
    let ((), first) = tokio::join!(async { outlet.hand_out(leased).await.unwrap() }, async {
        let first = deliveries.next().await.unwrap().unwrap();
        assert_eq!(first.count(), 1);
        assert_eq!(outlet.more_room(32).len(), 0);
        drop(deliveries.next().await);
        first
    });
    assert_eq!(outlet.more_room(32).len(), 1);
    drop(first);
    assert_eq!(outlet.more_room(32).len(), 2);
    assert_eq!(outlet.room(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn no_capacity_is_room_for_one() {
    let (outlet, _deliveries) = Subscriptions::default().open::<Numbered>(0);
    assert_eq!(outlet.room(32).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_nobody_has_seen_is_given_back_when_the_subscriber_goes() {
    let server = Server::default();
    let subscriptions = Subscriptions::default();
    let (outlet, mut deliveries) = subscriptions.open(5);
    let leased = server.lease(outlet.room(5).await.unwrap());
    let (handed_out, ()) = tokio::join!(outlet.hand_out(leased), async {
        assert_eq!(deliveries.next().await.unwrap().unwrap().count(), 1);
        drop(deliveries);
    });
    assert!(matches!(handed_out, Err(Gone)));
    assert!(matches!(outlet.room(1).await, Err(Gone)));
    assert!(matches!(outlet.unless_gone(std::future::pending::<()>()).await, Err(Gone)));
    assert!(matches!(outlet.report(Error::other("too late")).await, Err(Gone)));
    drop(outlet);
    subscriptions.given_back().await;
    assert_eq!(server.given_back(), [2, 3, 4, 5]);
}

#[tokio::test]
async fn what_is_over_is_handed_to_nobody() {
    let server = Server::default();
    let (outlet, mut deliveries) = Subscriptions::default().open(2);
    let mut leased = server.lease(outlet.room(2).await.unwrap());
    let second = leased.pop();
    outlet.hand_out(leased).await.unwrap();
    // The first waits to be seen, and the second to be handed out.
    server.over.store(true, Ordering::Relaxed);
    outlet.hand_out(second).await.unwrap();
    drop(outlet);
    assert!(deliveries.next().await.is_none());
    assert_eq!(server.given_back(), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_error_reaches_the_subscriber_and_gives_the_server_time() {
    let (outlet, mut deliveries) = Subscriptions::default().open::<Numbered>(1);
    let begin = tokio::time::Instant::now();
    let (reported, error) = tokio::join!(outlet.report(Error::unavailable("not now")), deliveries.next());
    reported.unwrap();
    assert_eq!(begin.elapsed(), PAUSE);
    let Some(Err(error)) = error else { panic!("it is an error") };
    assert_eq!(error.message(), "not now");
}
