//! What operators and other programs do to the objects that the provider keeps in NATS.

use std::sync::Arc;

use async_nats::jetstream::{Context, stream};
use futures_util::StreamExt;
use parking_lot::Mutex;
use serde_json::json;
use slight_conformance::disruption::{Disruption, Doing, Names, Stage, Starting};
use slight_provider_nats::kind;
use slight_services::{NATS, Server};

use crate::{raw::Raw, support::nats};

/// A server of a row's own, which keeps everything in memory: to start it again is to empty it.
struct Backend {
    server: Mutex<Server>,
    nats: Context,
    raw: Arc<Raw>,
}

fn stage() -> Starting<Backend> {
    Box::pin(async {
        let server = Server::start(&NATS, &[]).map_err(|missing| missing.to_string())?;
        let memory = json!({ "storage": "memory" });
        let settings = json!({ "url": server.url(), "key-value": memory, "blob": memory, "messaging": memory });
        let provider = kind().connect(settings).await.map_err(|error| error.to_string())?;
        let (nats, raw) = (nats(&server.url()).await, Arc::new(Raw::to(server.port())));
        Ok(Stage { provider, backend: Backend { server: Mutex::new(server), nats, raw } })
    })
}

type Row = Disruption<Backend>;
type Done = Result<(), async_nats::Error>;

fn doing<'a>(done: impl Future<Output = Done> + Send + 'a) -> Doing<'a> {
    Box::pin(async move { done.await.map_err(|error| error.to_string()) })
}

const ENTRIES: &str = "KV_slight-kv";
const MESSAGES: &str = "slight-msg";

impl Backend {
    async fn delete(&self, stream: &str) -> Done {
        Ok(self.nats.delete_stream(stream).await.map(drop)?)
    }

    async fn purge(&self, stream: &str) -> Done {
        Ok(self.nats.get_stream(stream).await?.purge().await.map(drop)?)
    }

    /// Another stream under the name.
    async fn replace(&self, stream: &str, change: impl FnOnce(&mut stream::Config)) -> Done {
        let mut config = self.nats.get_stream(stream).await?.cached_info().config.clone();
        change(&mut config);
        // Somebody who needs it may be faster than we are.
        while let Ok(()) = self.delete(stream).await {
            if self.nats.create_stream(config.clone()).await.is_ok() {
                break;
            }
        }
        Ok(())
    }

    async fn edit(&self, stream: &str, change: impl FnOnce(&mut stream::Config)) -> Done {
        let mut config = self.nats.get_stream(stream).await?.cached_info().config.clone();
        change(&mut config);
        Ok(self.nats.update_stream(config).await.map(drop)?)
    }

    /// The consumers of the topic, of the groups that this chooses.
    async fn consumers(&self, topic: &str, group: impl Fn(&str) -> bool) -> Result<Vec<String>, async_nats::Error> {
        let stream = self.nats.get_stream(MESSAGES).await?;
        let mut consumers = stream.consumers();
        let mut found = Vec::new();
        while let Some(consumer) = consumers.next().await {
            let consumer = consumer?;
            let metadata = &consumer.config.metadata;
            if metadata["slight-topic"] == topic && group(&metadata["slight-group"]) {
                found.push(consumer.name);
            }
        }
        Ok(found)
    }

    async fn delete_consumers(&self, names: &Names, group: impl Fn(&str) -> bool) -> Done {
        let stream = self.nats.get_stream(MESSAGES).await?;
        for consumer in self.consumers(&names.name.encoded(), group).await? {
            stream.delete_consumer(&consumer).await?;
        }
        Ok(())
    }

    /// Changes the consumer of the group with a member.
    async fn edit_consumer(&self, names: &Names, change: impl FnOnce(&mut serde_json::Value)) -> Done {
        let consumers = self.consumers(&names.name.encoded(), |group| group == names.group).await?;
        let stream = self.nats.get_stream(MESSAGES).await?;
        let mut config = serde_json::to_value(&stream.consumer_info(&consumers[0]).await?.config)?;
        change(&mut config);
        let asked = json!({ "stream_name": MESSAGES, "config": config, "action": "update" });
        self.call(&format!("CONSUMER.CREATE.{MESSAGES}.{}", consumers[0]), &asked).await
    }

    async fn pause(&self, names: &Names, until: serde_json::Value) -> Done {
        for consumer in self.consumers(&names.name.encoded(), |_| true).await? {
            self.call(&format!("CONSUMER.PAUSE.{MESSAGES}.{consumer}"), &until).await?;
        }
        Ok(())
    }

    async fn call(&self, name: &str, asked: &serde_json::Value) -> Done {
        let answer: serde_json::Value = self.nats.request(name.to_owned(), asked).await?;
        match answer.get("error") {
            Some(error) => Err(error.to_string().into()),
            None => Ok(()),
        }
    }

    /// Forgets all that it has.
    fn empty(&self) {
        let mut server = self.server.lock();
        server.kill();
        server.restart();
    }

    async fn write(&self, subject: String, headers: &'static [u8], body: &'static [u8]) {
        let raw = self.raw.clone();
        tokio::task::spawn_blocking(move || raw.publish(&subject, headers, body)).await.unwrap();
    }
}

const BUCKETS: &[Row] = &[
    Row::new("the bucket of all entries", "deleted", |backend, _| doing(backend.delete(ENTRIES)))
        .everywhere()
        .loses_what_it_held(),
    Row::new("the bucket of all entries", "purged", |backend, _| doing(backend.purge(ENTRIES)))
        .everywhere()
        .loses_what_it_held(),
    Row::new("the bucket of all entries", "gets other limits", |backend, _| {
        doing(backend.edit(ENTRIES, |config| {
            config.max_bytes = 100_000_000;
            config.discard = stream::DiscardPolicy::Old;
        }))
    })
    .everywhere(),
    Row::new("the bucket of all entries", "made anew with a history", |backend, _| {
        doing(backend.replace(ENTRIES, |config| config.max_messages_per_subject = 5))
    })
    .everywhere()
    .loses_what_it_held(),
    Row::new("the bucket of all entries", "made anew with other subjects, then deleted", |backend, _| {
        doing(backend.replace(ENTRIES, |config| config.subjects = vec!["others.>".into()]))
    })
    .until(|backend, _| doing(backend.delete(ENTRIES)))
    .everywhere()
    .loses_what_it_held(),
    Row::new("the bucket of all entries", "messages that are no entries", |backend, names| {
        doing(async {
            let bucket = format!("$KV.slight-kv.{}.=", names.name.encoded());
            for (headers, body) in crate::raw::ODD {
                backend.write(format!("{bucket}.=no-name*").replace('*', "!"), headers, body).await;
                backend.write(format!("{bucket}.odd"), headers, body).await;
                backend.write("$KV.slight-kv.others".to_owned(), headers, body).await;
            }
            Ok(())
        })
    }),
    Row::new("the server", "started again, empty", |backend, _| {
        doing(async {
            backend.empty();
            Ok(())
        })
    })
    .everywhere()
    .loses_what_it_held(),
];

const CONTAINERS: &[Row] = &[
    Row::new("the object store of a container", "deleted", |backend, names| {
        doing(async { backend.delete(&format!("OBJ_slight-blob_{}", names.name.encoded())).await })
    })
    .loses_what_it_held(),
    Row::new("the object store of a container", "purged", |backend, names| {
        doing(async { backend.purge(&format!("OBJ_slight-blob_{}", names.name.encoded())).await })
    })
    .loses_what_it_held(),
    Row::new("the object store of a container", "messages that are no objects", |backend, names| {
        doing(async {
            let store = format!("$O.slight-blob_{}", names.name.encoded());
            for (headers, body) in crate::raw::ODD {
                for kind in ["M.b2Rk", "M.!", "C.x", "U.x"] {
                    backend.write(format!("{store}.{kind}"), headers, body).await;
                }
            }
            Ok(())
        })
    }),
    Row::new("the server", "started again, empty", |backend, _| {
        doing(async {
            backend.empty();
            Ok(())
        })
    })
    .everywhere()
    .loses_what_it_held(),
];

const TOPICS: &[Row] = &[
    Row::new("the consumer of a group with a member", "deleted", |backend, names| {
        doing(backend.delete_consumers(names, |group| group == names.group))
    })
    .loses_what_it_held(),
    Row::new("the consumer of a group without a member", "deleted", |backend, names| {
        doing(backend.delete_consumers(names, |group| group == names.waiting_group))
    })
    .loses_what_it_held(),
    Row::new("all consumers of a topic", "deleted", |backend, names| doing(backend.delete_consumers(names, |_| true)))
        .loses_what_it_held(),
    Row::new("a consumer", "gets limits of deliveries, time, and requests", |backend, names| {
        doing(backend.edit_consumer(names, |config| {
            config["max_deliver"] = 1.into();
            config["ack_wait"] = 1_000_000_000.into();
            config["max_batch"] = 1.into();
        }))
    }),
    Row::new("a consumer", "expires", |backend, names| {
        doing(backend.edit_consumer(names, |config| config["inactive_threshold"] = 1_000_000.into()))
    })
    .loses_what_it_held(),
    Row::new("all consumers of a topic", "paused, then resumed", |backend, names| {
        doing(backend.pause(names, json!({ "pause_until": "2100-01-01T00:00:00Z" })))
    })
    .until(|backend, names| doing(backend.pause(names, json!({})))),
    Row::new("the stream of all messages", "deleted", |backend, _| doing(backend.delete(MESSAGES)))
        .everywhere()
        .loses_what_it_held(),
    Row::new("the stream of all messages", "purged", |backend, _| doing(backend.purge(MESSAGES)))
        .everywhere()
        .loses_what_it_held(),
    Row::new("the stream of all messages", "keeps messages that all groups have", |backend, _| {
        doing(backend.edit(MESSAGES, |config| config.retention = stream::RetentionPolicy::Limits))
    })
    .everywhere(),
    Row::new("the stream of all messages", "made anew with other subjects, then deleted", |backend, _| {
        doing(backend.replace(MESSAGES, |config| config.subjects = vec!["others.>".into()]))
    })
    .until(|backend, _| doing(backend.delete(MESSAGES)))
    .everywhere()
    .loses_what_it_held(),
    Row::new("the server", "started again, empty", |backend, _| {
        doing(async {
            backend.empty();
            Ok(())
        })
    })
    .everywhere()
    .loses_what_it_held(),
];

slight_conformance::disruptions!(
    "../../docs/providers/nats.md", stage; key_value BUCKETS, blob CONTAINERS, messaging TOPICS
);
