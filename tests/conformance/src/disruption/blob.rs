use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::{BlobStore, ByteRange, Container, Error, ErrorKind, QualifiedName, Result};
use tokio::sync::watch;

use super::{
    Trial, When,
    observed::{Errors, Observed, lost_no_more, whole_again},
};
use crate::check::{Failure, Outcome, require};

/// Objects that are there before.
const BEFORE: usize = 5;

/// More than one chunk of most backends.
const CONTENT: &[u8] = &[7; 300 * 1024];

pub(super) async fn try_on<B: Send + Sync>(trial: &Trial<'_, B>) -> Outcome<Observed> {
    let blob = trial.stage.provider.blob();
    let store = blob.ok_or_else(|| Failure::new("expected a provider of blob, found none"))?;
    let container = store.create(&trial.names.name).await?;
    for number in 0..BEFORE {
        write(&*container, &format!("before/{number}")).await?;
    }
    write(&*store.create(&trial.names.neighbour).await?, "kept").await?;
    let errors = Arc::new(Errors::default());
    let (stop, stopped) = watch::channel(false);
    let load = (trial.when == When::UnderLoad).then(|| {
        let (store, name, errors) = (store.clone(), trial.names.name.clone(), errors.clone());
        tokio::spawn(async move {
            while !*stopped.borrow() {
                if !errors.note(&round(&*store, &name, "load").await) {
                    tokio::task::yield_now().await;
                }
            }
        })
    });

    trial.disrupt().await?;
    if trial.row.undo.is_some() {
        errors.note(&round(&*store, &trial.names.name, "meanwhile").await);
        if !trial.row.everywhere {
            let beside = round(&*store, &trial.names.neighbour, "meanwhile").await;
            beside.map_err(|error| Failure::from(error).within("the neighbour, before it was undone"))?;
        }
        trial.undo().await?;
    }
    let whole = whole_again(3, || async {
        let done = round(&*store, &trial.names.name, "round").await;
        errors.note(&done);
        done
    })
    .await;
    stop.send_replace(true);
    if let Some(load) = load {
        load.await.map_err(|panic| Failure::new(format!("expected no panic, found {panic}")))?;
    }
    let whole_after = whole?;
    let neighbour = match store.get(&trial.names.neighbour).await {
        Ok(container) => read(&*container, "kept").await.is_ok(),
        Err(_) => false,
    };
    require(neighbour || trial.row.everywhere, "expected the neighbour's object, found none")?;
    let container = store.get(&trial.names.name).await?;
    let mut gone = 0;
    for number in 0..BEFORE {
        match read(&*container, &format!("before/{number}")).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => gone += 1,
            Err(error) => return Err(Failure::from(error).within("an object from before")),
        }
    }
    lost_no_more(trial.row, "objects", (gone, BEFORE))?;
    Ok(Observed { errors: errors.all(), whole_after, lost: (gone, BEFORE) })
}

/// All that a container is for. Where it is gone, the next round finds one made anew.
async fn round(store: &dyn BlobStore, name: &QualifiedName, object: &str) -> Result<()> {
    let container = match store.get(name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            store.create(name).await?;
            return Err(error);
        }
        container => container?,
    };
    write(&*container, object).await?;
    read(&*container, object).await?;
    let mut cursor = None;
    loop {
        let page = container.list(cursor.as_ref()).await?;
        if page.items.iter().any(|item| item == object) {
            return Ok(());
        }
        cursor = page.next;
        if cursor.is_none() {
            return Err(Error::other("the object that was written is not listed"));
        }
    }
}

async fn write(container: &dyn Container, object: &str) -> Result<()> {
    let chunks = CONTENT.chunks(64 * 1024).map(|chunk| Ok(Bytes::from_static(chunk)));
    container.write(object, stream::iter(chunks).boxed()).await
}

async fn read(container: &dyn Container, object: &str) -> Result<()> {
    let blob = container.read(object, ByteRange::ALL).await?;
    let content: Vec<Bytes> = blob.body.try_collect().await?;
    match content.concat() == CONTENT {
        true => Ok(()),
        false => Err(Error::other("the object is not what was written")),
    }
}
