use bytes::Bytes;
use slight_capabilities::{ErrorKind, MAX_NAME_BYTES, QualifiedName};

use super::{
    Scope,
    body::{holds, lacks, write},
    is_now, new_name, objects_of,
};
use crate::{
    check::{Failure, Outcome, equal, refused},
    listing::{lists, one_empty_page},
    names::{self, Prefix, unique},
};

pub(super) async fn create_makes_an_empty_container(scope: &Scope) -> Outcome {
    let name = new_name();
    let container = scope.create(&name).await?;
    equal("whether it exists", scope.store.exists(&name).await?, true)?;
    one_empty_page(container.list(None).await?)?;
    is_now("created_at", container.info().await?.created_at)
}

pub(super) async fn create_of_an_existing_container_is_already_exists(scope: &Scope) -> Outcome {
    let name = new_name();
    let container = scope.create(&name).await?;
    write(&*container, "object", "kept").await?;
    refused("creating it again", scope.store.create(&name).await, ErrorKind::AlreadyExists)?;
    holds(&*scope.store.get(&name).await?, "object", b"kept").await
}

pub(super) async fn get_of_a_missing_container_is_not_found(scope: &Scope) -> Outcome {
    let name = new_name();
    refused("getting what was never created", scope.store.get(&name).await, ErrorKind::NotFound)?;
    equal("whether it exists", scope.store.exists(&name).await?, false)?;
    scope.create(&name).await?;
    scope.store.delete(&name).await?;
    refused("getting what was deleted", scope.store.get(&name).await, ErrorKind::NotFound)
}

pub(super) async fn get_sees_what_create_made(scope: &Scope) -> Outcome {
    let name = new_name();
    let created = scope.create(&name).await?;
    let got = scope.store.get(&name).await?;
    one_empty_page(got.list(None).await?)?;
    write(&*created, "a", "1").await?;
    holds(&*got, "a", b"1").await?;
    write(&*got, "b", "2").await?;
    holds(&*created, "b", b"2").await
}

pub(super) async fn exists_follows_create_and_delete(scope: &Scope) -> Outcome {
    let name = new_name();
    for turn in ["the first time", "the second time"] {
        equal(format_args!("exists before, {turn}"), scope.store.exists(&name).await?, false)?;
        scope.create(&name).await?;
        equal(format_args!("exists between, {turn}"), scope.store.exists(&name).await?, true)?;
        scope.store.delete(&name).await?;
        equal(format_args!("exists after, {turn}"), scope.store.exists(&name).await?, false)?;
    }
    Ok(())
}

pub(super) async fn delete_removes_the_objects(scope: &Scope) -> Outcome {
    let name = new_name();
    let container = scope.create(&name).await?;
    for object in ["a", "a/b", "c"] {
        write(&*container, object, "1").await?;
    }
    scope.store.delete(&name).await?;
    let anew = scope.create(&name).await?;
    one_empty_page(anew.list(None).await?)?;
    lacks(&*anew, "a").await
}

pub(super) async fn delete_of_a_missing_container_succeeds(scope: &Scope) -> Outcome {
    let name = new_name();
    scope.store.delete(&name).await?;
    scope.create(&name).await?;
    scope.store.delete(&name).await?;
    scope.store.delete(&name).await?;
    Ok(())
}

/// Writes to a container under each name, and finds in each what was written there and no more, until it is deleted.
async fn are_apart(scope: &Scope, names: &[QualifiedName]) -> Outcome {
    let about = |name: &QualifiedName, failure: Failure| failure.within(format_args!("container {name:?}"));
    for name in names {
        let container = scope.create(name).await.map_err(|failure| about(name, failure))?;
        write(&*container, "object", name.name.clone()).await.map_err(|failure| about(name, failure))?;
    }
    for name in names {
        let container = scope.store.get(name).await?;
        holds(&*container, "object", name.name.as_bytes()).await.map_err(|failure| about(name, failure))?;
        lists(&format!("container {name:?}"), objects_of(&*container).await?, ["object".into()])?;
        scope.store.delete(name).await?;
    }
    Ok(())
}

pub(super) async fn two_containers_are_isolated(scope: &Scope) -> Outcome {
    let prefix = Prefix::unique();
    are_apart(scope, &["a", "A", "a/", "a:b", "ab", "a/b", "a/object", "a_b", "a%2Fb"].map(|name| prefix.name(name)))
        .await
}

pub(super) async fn a_prefix_isolates_containers(scope: &Scope) -> Outcome {
    are_apart(scope, &names::under_prefixes()).await
}

pub(super) async fn container_names_may_hold_any_characters(scope: &Scope) -> Outcome {
    let prefix = Prefix::unique();
    let names: Vec<_> = names::odd(MAX_NAME_BYTES).iter().map(|name| prefix.name(name)).collect();
    are_apart(scope, &names).await
}

pub(super) async fn a_missing_existing_location_is_not_found(scope: &Scope) -> Outcome {
    refused("opening a location that is not there", scope.store.existing(&unique()).await, ErrorKind::NotFound)
}

pub(super) async fn an_existing_location_has_literal_names(scope: &Scope) -> Outcome {
    let object = "été 1/photo.jpg";
    let made = scope.harness.make_location(object, Bytes::from_static(b"by another program")).await;
    let made = made.ok_or_else(|| Failure::skipped("the harness makes no locations"))?;
    let location = made.map_err(|error| Failure::from(error).within("making a location"))?;
    scope.locations.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(location.clone());

    let container = scope.store.existing(&location).await?;
    lists("the location", objects_of(&*container).await?, [object.into()])?;
    holds(&*container, object, b"by another program").await?;
    write(&*container, "a new one.txt", "new").await?;
    holds(&*scope.store.existing(&location).await?, "a new one.txt", b"new").await?;
    container.delete(&[object.into(), "a new one.txt".into()]).await?;
    lists("the location", objects_of(&*container).await?, [])
}

pub(super) async fn objects_never_create_containers(scope: &Scope) -> Outcome {
    let prefix = Prefix::unique();
    let container = scope.create(&prefix.name("a")).await?;
    let inner = prefix.name("a/b");
    scope.claim(&inner);
    write(&*container, "b/object", "in a").await?;
    write(&*container, "b", "in a").await?;
    equal("whether a/b exists", scope.store.exists(&inner).await?, false)?;
    refused("getting a/b", scope.store.get(&inner).await, ErrorKind::NotFound)?;
    let created = scope.create(&inner).await?;
    one_empty_page(created.list(None).await?)?;
    scope.store.delete(&inner).await?;
    holds(&*container, "b/object", b"in a").await
}

pub(super) async fn info_tells_when_the_container_was_created(scope: &Scope) -> Outcome {
    let name = new_name();
    is_now("created_at", scope.create(&name).await?.info().await?.created_at)?;
    let before = scope.store.get(&name).await?.info().await?;
    is_now("created_at", before.created_at)?;
    write(&*scope.store.get(&name).await?, "object", "1").await?;
    equal("info after a write", scope.store.get(&name).await?.info().await?, before)
}
