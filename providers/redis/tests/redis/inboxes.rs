use std::time::Duration;

use futures_util::StreamExt;

use crate::support::{connect, message, messaging, server};

/// The server keeps nothing over its end, so the inbox is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_that_the_server_has_lost_is_opened_again() {
    let Some(mut server) = server(&[]) else { return };
    let messaging = messaging(&*connect(&server).await);
    let mut inbox = messaging.inbox().await.unwrap();
    tokio::task::block_in_place(|| server.kill());
    assert!(inbox.replies.next().await.unwrap().is_err());
    tokio::task::block_in_place(|| server.restart());
    let to = slight_capabilities::ReplyTo { inbox: inbox.address.clone(), correlation: "1".into() };
    let reply = async {
        loop {
            if let Some(Ok(reply)) = inbox.replies.next().await {
                return reply;
            }
        }
    };
    let send = async {
        loop {
            messaging.reply(&to, message("answer")).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reply = tokio::select! {
        reply = tokio::time::timeout(slight_services::DEADLINE, reply) => reply.unwrap(),
        () = send => unreachable!("it goes on"),
    };
    assert_eq!((reply.correlation.as_str(), reply.message), ("1", message("answer")));
}
