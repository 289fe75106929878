//! Exports `example:nothing/thing@1.0.0` and nothing that a trigger could call.

use exports::example::nothing::thing::Guest;

wit_bindgen::generate!({
    path: "wit",
    world: "example:nothing/exports",
    generate_all,
});

struct Thing;

impl Guest for Thing {
    fn ask() -> String {
        "nobody asks".into()
    }
}

export!(Thing);
