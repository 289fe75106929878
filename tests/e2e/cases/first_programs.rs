//! The programs of `wit/README.md`, which a newcomer begins with.

use slight_e2e::run;

#[tokio::test]
async fn visits_are_counted() {
    let app = run("visits").start().await;
    for count in ["visit 1\n", "visit 2\n"] {
        assert_eq!(app.get("/").await.text(), count);
    }
}

#[tokio::test]
async fn notes_are_kept() {
    let app = run("notes").start().await;
    app.get("/one").await.refused(503);
    let note = "line\n".repeat(2000);
    assert_eq!(app.put("/one", note.clone()).await.text(), "write 1\n");
    assert_eq!(app.put("/two", "2").await.text(), "write 2\n");
    assert_eq!(app.get("/one").await.text(), note);
}
