//! `wasi:config` 0.2.0-draft-2024-09-27 over HTTP: `GET /config/<key>` and `GET /config`.

wit_bindgen::generate!({
    path: "../../../wit/config-0.2.0-draft-2024-09-27",
    world: "wasi:config/imports",
    generate_all,
});

guest_support::serve_config!();
