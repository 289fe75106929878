//! `wasi:config` 0.2.0-rc.1 over HTTP: `GET /config/<key>` and `GET /config`.

wit_bindgen::generate!({
    path: "../../../wit/config-0.2.0-rc.1",
    world: "wasi:config/imports",
    generate_all,
});

guest_support::serve_config!();
