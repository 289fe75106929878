use slight_capabilities::{ErrorKind, ObjectId, QualifiedName};

use super::{
    Scope,
    body::{MIB, holds, lacks, write},
    new_name,
};
use crate::{
    check::{Outcome, equal, refused},
    content::pattern,
};

fn id(container: &QualifiedName, object: &str) -> ObjectId {
    ObjectId { container: container.clone(), object: object.to_owned() }
}

pub(super) async fn copy_makes_an_equal_object(scope: &Scope) -> Outcome {
    let (here, there) = (new_name(), new_name());
    let (from, to) = (scope.create(&here).await?, scope.create(&there).await?);
    let content = pattern(1, MIB + 1);
    write(&*from, "a b/é", content.clone()).await?;
    write(&*to, "taken", pattern(2, 2 * MIB)).await?;
    for (container, name) in [(&here, "copy"), (&there, "c//d"), (&there, "taken")] {
        scope.store.copy(&id(&here, "a b/é"), &id(container, name)).await?;
        let holder = if container == &here { &from } else { &to };
        holds(&**holder, name, &content).await?;
        holds(&*from, "a b/é", &content).await?;
    }
    // A copy is an object of its own.
    write(&*from, "a b/é", "changed").await?;
    holds(&*from, "copy", &content).await
}

pub(super) async fn copy_of_a_missing_object_is_not_found(scope: &Scope) -> Outcome {
    let name = new_name();
    let container = scope.create(&name).await?;
    write(&*container, "taken", "kept").await?;
    for destination in ["taken", "free"] {
        let copied = scope.store.copy(&id(&name, "missing"), &id(&name, destination)).await;
        refused("copying a missing object", copied, ErrorKind::NotFound)?;
    }
    holds(&*container, "taken", b"kept").await?;
    lacks(&*container, "free").await
}

pub(super) async fn copy_to_a_missing_container_is_not_found(scope: &Scope) -> Outcome {
    let (name, missing) = (new_name(), new_name());
    let container = scope.create(&name).await?;
    scope.claim(&missing);
    write(&*container, "object", "kept").await?;
    let to = scope.store.copy(&id(&name, "object"), &id(&missing, "object")).await;
    refused("copying to a missing container", to, ErrorKind::NotFound)?;
    let from = scope.store.copy(&id(&missing, "object"), &id(&name, "object")).await;
    refused("copying from a missing container", from, ErrorKind::NotFound)?;
    equal("whether it exists now", scope.store.exists(&missing).await?, false)?;
    holds(&*container, "object", b"kept").await
}

pub(super) async fn copy_of_an_object_onto_itself_changes_nothing(scope: &Scope) -> Outcome {
    let name = new_name();
    let container = scope.create(&name).await?;
    let content = pattern(3, MIB);
    write(&*container, "object", content.clone()).await?;
    scope.store.copy(&id(&name, "object"), &id(&name, "object")).await?;
    holds(&*container, "object", &content).await?;
    let missing = scope.store.copy(&id(&name, "missing"), &id(&name, "missing")).await;
    refused("copying a missing object onto itself", missing, ErrorKind::NotFound)
}
