use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use slight_capabilities::Container;

use super::{
    Scope,
    body::{holds, lacks, write},
    objects_of,
};
use crate::{
    check::Outcome,
    listing::{lists, no_empty_pages, one_empty_page, refuses_cursors},
};

/// More than one page of every provider that gives pages of a thousand.
const MANY: usize = 1100;

/// How many objects are written at a time.
const WRITES: usize = 32;

async fn container_of_many(scope: &Scope) -> Outcome<(Arc<dyn Container>, Vec<String>)> {
    let container = scope.container().await?;
    let objects: Vec<_> = (0..MANY).map(|number| format!("object/{number}")).collect();
    let writes = stream::iter(objects.clone().into_iter().map(|object| {
        let container = container.clone();
        async move { write(&*container, &object, "1").await }
    }));
    writes.buffer_unordered(WRITES).try_collect::<()>().await?;
    Ok((container, objects))
}

pub(super) async fn an_empty_container_lists_as_one_empty_page(scope: &Scope) -> Outcome {
    let container = scope.container().await?;
    one_empty_page(container.list(None).await?)?;
    write(&*container, "object", "1").await?;
    container.delete(&["object".into()]).await?;
    one_empty_page(container.list(None).await?)
}

pub(super) async fn every_object_is_listed_once(scope: &Scope) -> Outcome {
    let (container, objects) = container_of_many(scope).await?;
    lists("a container of many objects", objects_of(&*container).await?, objects)?;
    no_empty_pages(async |cursor| container.list(cursor.as_ref()).await).await
}

pub(super) async fn clear_removes_every_object(scope: &Scope) -> Outcome {
    let (container, _) = container_of_many(scope).await?;
    container.clear().await?;
    one_empty_page(container.list(None).await?)?;
    container.info().await?;
    container.clear().await?;
    write(&*container, "object", "1").await?;
    holds(&*container, "object", b"1").await
}

pub(super) async fn delete_removes_the_objects_named(scope: &Scope) -> Outcome {
    let (container, mut objects) = container_of_many(scope).await?;
    let kept = objects.split_off(MANY - 3);
    objects.extend(["missing".to_owned(), "object/".to_owned(), "object/0".to_owned()]);
    container.delete(&objects).await?;
    lists("what is left", objects_of(&*container).await?, kept)?;
    lacks(&*container, "object/0").await?;
    container.delete(&objects).await?;
    container.delete(&[]).await?;
    Ok(())
}

pub(super) async fn a_made_up_cursor_is_invalid(scope: &Scope) -> Outcome {
    let (other, _) = container_of_many(scope).await?;
    let foreign = other.list(None).await?.next;
    let container = scope.container().await?;
    write(&*container, "object", "1").await?;
    refuses_cursors(foreign, async |cursor| container.list(cursor.as_ref()).await).await
}
