use super::*;

/// Routes: `mine` may be written, `theirs` is an existing location, `seen` may be read; all on one memory, which has
/// the container `seen` with the object `cat`.
async fn routes() -> State {
    let memory = Memory::new();
    memory.create_location("bucket-of-others");
    let backend = backend("memory", memory.blob().unwrap());
    let mut setup = instance(backend.clone(), limits());
    let seen = create(&mut setup, "seen").await;
    store(&mut setup, &seen, "cat", pattern(10)).await;

    let mut routes = Routes::none();
    routes.insert("mine", Route::to(backend.clone()));
    routes.insert("theirs", Route { existing: Some("bucket-of-others".into()), ..Route::to(backend.clone()) });
    routes.insert("gone", Route { existing: Some("not-there".into()), ..Route::to(backend.clone()) });
    routes.insert("seen", read_only(backend));
    routed(routes, limits())
}

fn denied<T>(answer: super::super::Answer<T>, part: &str) {
    let error = answer.unwrap().err().unwrap();
    assert!(error.contains(part), "{error}");
}

#[tokio::test]
async fn a_container_is_there_from_create_to_delete() {
    let mut state = routes().await;
    assert!(!state.container_exists("mine".into()).await.unwrap().unwrap());
    denied(state.get_container("mine".into()).await, "\"mine\"");
    let container = create(&mut state, "mine").await;
    denied(state.create_container("mine".into()).await, "already");
    assert!(state.container_exists("mine".into()).await.unwrap().unwrap());
    assert_eq!(state.name(lend(&container)).await.unwrap().unwrap(), "mine");
    let info = state.info(lend(&container)).await.unwrap().unwrap();
    assert_eq!(info.name, "mine");
    // Seconds, and not milliseconds: between the years 2020 and 2286.
    assert!((1_577_836_800..10_000_000_000).contains(&info.created_at), "{}", info.created_at);
    state.delete_container("mine".into()).await.unwrap().unwrap();
    assert!(!state.container_exists("mine".into()).await.unwrap().unwrap());
}

#[tokio::test]
async fn objects_are_told_of_and_removed() {
    let mut state = routes().await;
    let container = create(&mut state, "mine").await;
    for object in ["a", "b", "c", "d"] {
        store(&mut state, &container, object, pattern(5)).await;
    }
    let info = state.object_info(lend(&container), "a".into()).await.unwrap().unwrap();
    assert_eq!((info.name.as_str(), info.container.as_str(), info.size), ("a", "mine", 5));
    state.delete_object(lend(&container), "a".into()).await.unwrap().unwrap();
    state.delete_objects(lend(&container), vec!["b".into(), "missing".into()]).await.unwrap().unwrap();
    for (object, there) in [("a", false), ("b", false), ("c", true)] {
        assert_eq!(state.has_object(lend(&container), object.into()).await.unwrap().unwrap(), there, "{object}");
    }
    denied(state.object_info(lend(&container), "a".into()).await, "\"a\"");
    state.clear(lend(&container)).await.unwrap().unwrap();
    assert!(!state.has_object(container, "c".into()).await.unwrap().unwrap());
}

#[tokio::test]
async fn a_container_without_a_route_is_denied_with_what_to_write() {
    let mut state = routes().await;
    let part = "add \"other\" = \"<provider>\" to [blob]";
    denied(state.get_container("other".into()).await, part);
    denied(state.create_container("other".into()).await, part);
    denied(state.container_exists("other".into()).await, part);
    denied(state.copy_object(id("seen", "cat"), id("other", "cat")).await, part);
}

#[tokio::test]
async fn a_read_only_route_allows_reads_alone() {
    let mut state = routes().await;
    let container = state.get_container("seen".into()).await.unwrap().unwrap();
    assert_eq!(load(&mut state, &container, "cat").await.unwrap(), pattern(10));

    let part = "change access = \"read\" to \"read-write\" for \"seen\" in [blob]";
    let value = new_value(&mut state).await;
    create(&mut state, "mine").await;
    denied(state.create_container("seen".into()).await, part);
    denied(state.delete_container("seen".into()).await, part);
    denied(state.clear(lend(&container)).await, part);
    denied(state.delete_object(lend(&container), "cat".into()).await, part);
    denied(state.write_data(lend(&container), "cat".into(), value).await, part);
    denied(state.copy_object(id("mine", "cat"), id("seen", "cat")).await, part);
    denied(state.move_object(id("seen", "cat"), id("mine", "cat")).await, part);
    state.copy_object(id("seen", "cat"), id("mine", "cat")).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_existing_location_is_opened_but_not_made_or_removed() {
    let mut state = routes().await;
    let container = state.get_container("theirs".into()).await.unwrap().unwrap();
    store(&mut state, &container, "cat", pattern(10)).await;
    assert_eq!(load(&mut state, &container, "cat").await.unwrap(), pattern(10));
    assert!(state.container_exists("theirs".into()).await.unwrap().unwrap());
    assert!(!state.container_exists("gone".into()).await.unwrap().unwrap());
    denied(state.create_container("theirs".into()).await, "cannot be created");
    denied(state.delete_container("theirs".into()).await, "cannot be deleted");
}

#[tokio::test]
async fn names_are_checked_before_the_provider_is_asked() {
    let mut state = instance(memory(), limits());
    let long = "x".repeat(600);
    denied(state.create_container(long.clone()).await, "container name");
    let container = create(&mut state, "mine").await;
    for name in [String::new(), long] {
        let value = new_value(&mut state).await;
        denied(state.get_data(lend(&container), name.clone(), 0, 1).await, "object name");
        denied(state.write_data(lend(&container), name.clone(), value).await, "object name");
        denied(state.delete_objects(lend(&container), vec!["a".into(), name.clone()]).await, "object name");
        denied(state.copy_object(id("mine", "a"), id("mine", &name)).await, "object name");
    }
}

#[tokio::test]
async fn the_empty_container_name_is_default() {
    let mut state = instance(memory(), limits());
    let container = create(&mut state, "").await;
    assert_eq!(state.name(container).await.unwrap().unwrap(), "default");
    assert!(state.container_exists("default".into()).await.unwrap().unwrap());
}
