//! `[[messaging.subscriptions]]`.

use std::time::Duration;

use super::*;
use crate::Subscription;

/// A file with a route for the default client and these subscriptions.
fn file(subscriptions: &[&str]) -> String {
    let tables = subscriptions.iter().map(|lines| format!("[[messaging.subscriptions]]\n{lines}\n"));
    format!("[messaging]\ndefault = 'memory'\n{}", tables.collect::<String>())
}

#[test]
fn a_subscription_needs_topics_and_a_group_alone() {
    let config = good(&file(&["topics = ['orders', 'refunds']\ngroup = 'billing'"]));
    assert_eq!(config.subscriptions, [Subscription::new(["orders", "refunds"], "billing")]);
    let subscription = config.subscriptions.first().unwrap();
    assert_eq!((subscription.client.as_str(), subscription.capacity, subscription.max_deliveries), ("default", 16, 5));
    assert_eq!(subscription.visibility, Duration::from_secs(30));
    assert_eq!(subscription.dead_letter_topic("refunds"), "refunds.billing.dead");
}

#[test]
fn a_subscription_without_a_group_or_topics_is_refused() {
    assert!(mistake(&file(&["topics = ['a']"])).ends_with("needs the key \"group\""));
    assert!(mistake(&file(&["group = 'g'"])).ends_with("needs the key \"topics\""));
    assert!(mistake(&file(&["topics = []\ngroup = 'g'"])).ends_with("\"topics\" must have at least 1 item"));
    assert!(mistake(&file(&["topics = ['']\ngroup = 'g'"])).contains("the topic name is empty"));
    assert!(mistake(&file(&["topics = ['a']\ngroup = ''"])).contains("the group name is empty"));
}

#[test]
fn numbers_of_a_subscription_start_at_one() {
    for line in ["max-deliveries = 0", "capacity = 0"] {
        assert!(mistake(&file(&[&format!("topics = ['a']\ngroup = 'g'\n{line}")])).contains("must be at least 1"));
    }
    assert!(mistake(&file(&["topics = ['a']\ngroup = 'g'\nvisibility = '0s'"])).contains("more than zero"));
}

#[test]
fn a_subscription_needs_a_route_for_its_client() {
    let text = file(&["client = 'shop'\ntopics = ['a']\ngroup = 'g'"]);
    assert_eq!(
        mistake(&text),
        r#"4:10: the subscription's client "shop" has no route; add one to [messaging], such as default = "memory""#
    );
    good(&text.replace("default =", "'*' ="));
    good(&text.replace("default =", "shop ="));
    assert!(mistake(&text.replace("default =", "shops =")).ends_with("did you mean \"shops\"?"));
}

#[test]
fn the_client_with_the_empty_name_is_the_default() {
    let config = good(&file(&["client = ''\ntopics = ['a']\ngroup = 'g'"]));
    assert!(config.messaging.find(&config.subscriptions.first().unwrap().client).is_some());
}

#[test]
fn one_client_topic_and_group_is_subscribed_once() {
    let first = "topics = ['a', 'b']\ngroup = 'g'";
    assert!(mistake(&file(&["topics = ['a', 'a']\ngroup = 'g'"])).contains("to the topic \"a\" twice"));
    assert!(mistake(&file(&[first, "client = ''\ntopics = ['b']\ngroup = 'g'"])).contains("to the topic \"b\" twice"));
    good(&file(&[first, "topics = ['b']\ngroup = 'h'"]));
}

#[test]
fn the_dead_letter_topic_is_another_topic_with_a_legal_name() {
    let long = "t".repeat(120);
    let subscription = format!("topics = ['{long}']\ngroup = 'group'");
    assert!(mistake(&file(&[&subscription])).contains("give one with \"dead-letter\""));
    good(&file(&[&format!("{subscription}\ndead-letter = 'dead'")]));
    assert!(
        mistake(&file(&["topics = ['a']\ngroup = 'g'\ndead-letter = 'a'"])).contains("its messages would go round")
    );
    assert!(
        mistake(&file(&["topics = ['a']\ngroup = 'g'\ndead-letter = ''"])).contains("dead-letter topic name is empty")
    );
}

#[test]
fn a_subscription_holds_none_of_its_own_dead_letter_topics() {
    assert_eq!(
        mistake(&file(&["topics = ['a', 'a.g.dead']\ngroup = 'g'"])),
        "4:16: the topic \"a.g.dead\" is the dead-letter topic of \"a\": its messages would go round; subscribe to it in \
         another group, or give another with \"dead-letter\""
    );
    assert!(mistake(&file(&["topics = ['a.g.dead', 'a']\ngroup = 'g'"])).starts_with("4:11: "));
    good(&file(&["topics = ['a', 'a.g.dead']\ngroup = 'g'\ndead-letter = 'd'"]));
    good(&file(&["topics = ['a']\ngroup = 'g'", "topics = ['a.g.dead']\ngroup = 'dead-letter'"]));
}

#[test]
fn a_list_under_a_similar_key_is_a_mistyped_one() {
    let text = file(&["topics = ['a']\ngroup = 'g'"]).replace("subscriptions", "subscription");
    let sentence = r#"3:13: unknown key "subscription" in [messaging]; did you mean "subscriptions"?"#;
    assert_eq!(mistake(&text), sentence);
    good("messaging.subscription = 'memory'");
}

#[test]
fn subscriptions_are_no_client() {
    assert!(mistake("messaging.subscriptions = 'memory'").ends_with("must be a list, not a string"));
    assert!(good(&file(&[])).messaging.find("subscriptions").is_none());
}
