//! What an operator with the portal, or another program, does to what the provider keeps.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt;
use serde_json::json;
use slight_capabilities::QualifiedName;
use slight_conformance::disruption::{Disruption, Doing, Names, Stage, Starting};
use slight_provider_azure::kind;
use slight_services::shared_azurite;

use crate::{messages::queues, raw};

type Done = Result<(), String>;

/// Azurite past the provider, and where the provider keeps what it has: places of one row's own.
struct Backend {
    string: String,
    key_value: String,
    blob: String,
    messaging: String,
}

fn stage() -> Starting<Backend> {
    Box::pin(async {
        let string = shared_azurite().map_err(|missing| missing.to_string())?;
        let number = RandomState::new().hash_one(0) as u32;
        let place = |capability: &str| format!("{capability}-{number:08x}");
        let (key_value, blob, messaging) = (place("entries"), place("objects"), place("messages"));
        let settings = json!({
            "connection-string": string,
            "key-value": { "location": key_value },
            "blob": { "location": blob },
            "messaging": { "location": messaging, "group-cache": "100ms" },
        });
        let provider = kind().connect(settings).await.map_err(|error| error.to_string())?;
        Ok(Stage { provider, backend: Backend { string, key_value, blob, messaging } })
    })
}

impl Backend {
    async fn send(&self, endpoint: &str, request: (&str, &str), headers: &[(&str, &str)], body: &str) -> Done {
        let (status, answer) = raw::send(&self.string, endpoint, request, headers, body).await?;
        if (200..300).contains(&status) { Ok(()) } else { Err(format!("{request:?}: {status} {answer}")) }
    }

    async fn blobs(&self, request: (&str, &str), headers: &[(&str, &str)], body: &str) -> Done {
        self.send("BlobEndpoint", request, headers, body).await
    }

    async fn delete_container(&self, container: &str) -> Done {
        self.blobs(("DELETE", &format!("{container}?restype=container")), &[], "").await
    }

    async fn make_container(&self, container: &str) -> Done {
        // The provider may have been faster.
        let path = format!("{container}?restype=container");
        let (status, answer) = raw::send(&self.string, "BlobEndpoint", ("PUT", &path), &[], "").await?;
        if matches!(status, 201 | 409) { Ok(()) } else { Err(answer) }
    }

    async fn names_in(&self, container: &str) -> Result<Vec<String>, String> {
        let pages = raw::blobs(&self.string).blob_container_client(container).list_blobs(None);
        let pages: Vec<_> = pages.map_err(describe)?.into_pages().try_collect().await.map_err(describe)?;
        let pages = pages.into_iter().map(|page| page.into_model()).collect::<Result<Vec<_>, _>>().map_err(describe)?;
        Ok(pages.into_iter().flat_map(|page| page.blob_items).filter_map(|blob| blob.name).collect())
    }

    /// What other programs leave beside what is in a directory.
    async fn leave_foreign_blobs(&self, container: &str, directory: &str) -> Done {
        for (name, kind, length) in [
            ("a/", "BlockBlob", "0"),
            ("append", "AppendBlob", "0"),
            ("page", "PageBlob", "512"),
            ("a b", "BlockBlob", "0"),
            ("=YR", "BlockBlob", "0"),
            ("a//b", "BlockBlob", "0"),
            (".hidden", "BlockBlob", "0"),
        ] {
            let path = format!("{container}/{directory}{}", name.replace(' ', "%20"));
            let mut headers = vec![("x-ms-blob-type", kind)];
            if kind == "PageBlob" {
                headers.push(("x-ms-blob-content-length", length));
            }
            self.blobs(("PUT", &path), &headers, "").await?;
        }
        Ok(())
    }

    /// The queues of a topic; of one group alone if it is given.
    async fn queues(&self, topic: &QualifiedName, group: Option<&str>) -> Vec<String> {
        let found = queues(&self.string, "topic", &topic.encoded()).await;
        let wanted = |said: Option<&String>| group.is_none() || said.map(String::as_str) == group;
        found.into_iter().filter(|(_, metadata)| wanted(metadata.get("group"))).map(|(name, _)| name).collect()
    }

    async fn each_queue(&self, topic: &QualifiedName, group: Option<&str>, method: &str, behind: &str) -> Done {
        let queues = self.queues(topic, group).await;
        if queues.is_empty() {
            return Err(format!("there is no queue of {topic:?}"));
        }
        for queue in queues {
            self.send("QueueEndpoint", (method, &format!("{queue}{behind}")), &[], "").await?;
        }
        Ok(())
    }
}

fn describe(error: azure_core::Error) -> String {
    error.to_string()
}

fn delete_entries<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(backend.delete_container(&backend.key_value))
}

fn make_entries_anew<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(async {
        backend.delete_container(&backend.key_value).await?;
        backend.make_container(&backend.key_value).await
    })
}

fn leave_foreign_entries<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async { backend.leave_foreign_blobs(&backend.key_value, &format!("{}/", names.name.encoded())).await })
}

const ENTRIES: &[Disruption<Backend>] = &[
    Disruption::new("container of Azure", "deleted", delete_entries).loses_what_it_held().everywhere(),
    Disruption::new("container of Azure", "deleted and made anew", make_entries_anew).loses_what_it_held().everywhere(),
    Disruption::new("bucket's blobs", "what is not ours is put beside them", leave_foreign_entries),
];

fn delete_objects<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(backend.delete_container(&backend.blob))
}

fn delete_marker<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async { backend.blobs(("DELETE", &format!("{}/{}:", backend.blob, names.name.encoded())), &[], "").await })
}

fn leave_foreign_objects<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async { backend.leave_foreign_blobs(&backend.blob, &format!("{}/", names.name.encoded())).await })
}

fn take_snapshots<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async {
        for name in backend.names_in(&backend.blob).await? {
            if name.starts_with(&names.name.encoded()) {
                backend.blobs(("PUT", &format!("{}/{name}?comp=snapshot", backend.blob)), &[], "").await?;
            }
        }
        Ok(())
    })
}

const OBJECTS: &[Disruption<Backend>] = &[
    Disruption::new("container of Azure", "deleted", delete_objects).loses_what_it_held().everywhere(),
    Disruption::new("marker of a container", "deleted", delete_marker),
    Disruption::new("container's blobs", "snapshots are taken of them", take_snapshots),
    Disruption::new("container's blobs", "what is not ours is put beside them", leave_foreign_objects),
];

fn delete_queue<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(backend.each_queue(&names.name, Some(&names.group), "DELETE", ""))
}

fn delete_waiting_queue<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(backend.each_queue(&names.name, Some(&names.waiting_group), "DELETE", ""))
}

fn delete_queues<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(backend.each_queue(&names.name, None, "DELETE", ""))
}

fn make_queues_anew<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async {
        let queues = backend.queues(&names.name, None).await;
        backend.each_queue(&names.name, None, "DELETE", "").await?;
        for queue in queues {
            let (status, answer) = raw::send(&backend.string, "QueueEndpoint", ("PUT", &queue), &[], "").await?;
            // The provider may have been faster.
            if !matches!(status, 201 | 204 | 409) {
                return Err(answer);
            }
        }
        Ok(())
    })
}

fn clear_queues<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(backend.each_queue(&names.name, None, "DELETE", "/messages"))
}

fn remove_metadata<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(backend.each_queue(&names.name, Some(&names.group), "PUT", "?comp=metadata"))
}

fn delete_messages_container<'a>(backend: &'a Backend, _: &'a Names) -> Doing<'a> {
    Box::pin(backend.delete_container(&backend.messaging))
}

fn delete_all<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async {
        backend.delete_container(&backend.messaging).await?;
        backend.each_queue(&names.name, None, "DELETE", "").await
    })
}

fn send_what_is_not_ours<'a>(backend: &'a Backend, names: &'a Names) -> Doing<'a> {
    Box::pin(async {
        for queue in backend.queues(&names.name, None).await {
            let gone = STANDARD.encode(format!("{{\"blob\":\"{queue}/gone\"}}\n"));
            let others = STANDARD.encode("{\"blob\":\"other/blob\"}\n");
            for text in
                ["plain", "", "  ", "a&#xD;b", "&lt;odd/&gt;", &gone, &others, &STANDARD.encode("{\"id\":1}\n{}")]
            {
                let body = format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>");
                let (path, xml) = (format!("{queue}/messages"), [("content-type", "application/xml")]);
                backend.send("QueueEndpoint", ("POST", &path), &xml, &body).await?;
            }
        }
        Ok(())
    })
}

const TOPICS: &[Disruption<Backend>] = &[
    Disruption::new("queue of a group with members", "deleted", delete_queue).loses_what_it_held(),
    Disruption::new("queue of a group without members", "deleted", delete_waiting_queue).loses_what_it_held(),
    Disruption::new("queues of a topic", "deleted", delete_queues).loses_what_it_held(),
    Disruption::new("queues of a topic", "deleted, and made anew without metadata", make_queues_anew)
        .loses_what_it_held(),
    Disruption::new("queues of a topic", "cleared", clear_queues).loses_what_it_held(),
    Disruption::new("queue of a group", "its metadata is removed", remove_metadata),
    Disruption::new("queues of a topic", "what is not ours is put into them", send_what_is_not_ours),
    Disruption::new("container for large messages and records", "deleted", delete_messages_container),
    Disruption::new("container and queues of a topic", "deleted", delete_all).loses_what_it_held(),
];

slight_conformance::disruptions!(
    "../../docs/providers/azure.md", stage;
    key_value ENTRIES, blob OBJECTS, messaging TOPICS,
);

/// Whose loss it is where a killed Azurite has fewer messages than it acknowledged: no line of the provider runs here.
/// Azurite writes its tables of contents every five seconds, and when it is asked to end.
#[tokio::test(flavor = "multi_thread")]
async fn an_azurite_that_is_asked_to_end_keeps_what_it_acknowledged() {
    use slight_services::{Azurite, present};

    let Some(mut azurite) = present(Azurite::start(&[])) else { return };
    let string = azurite.connection_string();
    let put = async |path: &str, method: &str, body: &str| {
        let xml = [("content-type", "application/xml")];
        raw::send(&string, "QueueEndpoint", (method, path), &xml, body).await.unwrap()
    };
    assert_eq!(put("raw", "PUT", "").await.0, 201);
    let rounds = std::env::var("SLIGHT_TEST_AZURITE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1);
    let mut sent = 0;
    for _ in 0..rounds {
        for _ in 0..20 {
            let body = format!("<QueueMessage><MessageText>m{sent}</MessageText></QueueMessage>");
            assert_eq!(put("raw/messages", "POST", &body).await.0, 201);
            sent += 1;
        }
        tokio::task::block_in_place(|| azurite.stop());
        tokio::task::block_in_place(|| azurite.restart());
    }
    let mut found = 0;
    loop {
        let (_, answer) = put("raw/messages?numofmessages=32&visibilitytimeout=3600", "GET", "").await;
        match answer.matches("<QueueMessage>").count() {
            0 => break,
            some => found += some,
        }
    }
    assert_eq!(found, sent);
}

#[tokio::test]
async fn a_group_that_was_deleted_is_not_made_again_by_those_who_knew_it() {
    use crate::support::{azurite, connect, message, messaging, unique};

    let Some(string) = azurite() else { return };
    let (here, there) = (messaging(&*connect(&string).await), messaging(&*connect(&string).await));
    let topic = unique("topic");
    here.create_group(&topic, "group").await.unwrap();
    there.publish(&topic, message("known")).await.unwrap();
    here.delete_group(&topic, "group").await.unwrap();
    let end = tokio::time::Instant::now() + Duration::from_millis(300);
    while tokio::time::Instant::now() < end {
        there.publish(&topic, message("to nobody")).await.unwrap();
        assert!(queues(&string, "topic", &topic.encoded()).await.is_empty());
    }
}
