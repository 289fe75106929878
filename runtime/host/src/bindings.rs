//! What `bindgen!` makes of `wit/`. Private: each module that serves an interface re-exports what it needs.
#![allow(missing_docs)]

wasmtime::component::bindgen!({
    path: [
        "../../wit/io-0.2.2",
        "../../wit/keyvalue-0.2.0-draft2",
        "../../wit/keyvalue-0.2.0-draft",
        "../../wit/blobstore-0.2.0-draft",
        "../../wit/messaging-0.2.0-draft",
        "../../wit/config-0.2.0-rc.1",
        "../../wit/config-0.2.0-draft",
        "../../wit/config-0.2.0-draft-2024-09-27",
        "../../wit/logging-0.1.0-draft",
    ],
    inline: "
        package slight:host;

        world capabilities {
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            import wasi:keyvalue/batch@0.2.0-draft2;
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            import wasi:blobstore/types@0.2.0-draft;
            import wasi:blobstore/container@0.2.0-draft;
            import wasi:blobstore/blobstore@0.2.0-draft;
            import wasi:messaging/types@0.2.0-draft;
            import wasi:messaging/producer@0.2.0-draft;
            import wasi:messaging/request-reply@0.2.0-draft;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:config/store@0.2.0-draft;
            import wasi:config/store@0.2.0-draft-2024-09-27;
            import wasi:logging/logging@0.1.0-draft;
        }
    ",
    world: "slight:host/capabilities",
    imports: { default: async | trappable },
    with: {
        "wasi:io": wasmtime_wasi::p2::bindings::io,
        "wasi:keyvalue/store@0.2.0-draft2.bucket": crate::key_value::Bucket,
        "wasi:keyvalue/atomics@0.2.0-draft2.cas": crate::key_value::Cas,
        "wasi:keyvalue/store@0.2.0-draft.bucket": crate::key_value::Bucket,
        "wasi:blobstore/types@0.2.0-draft.outgoing-value": crate::blob::OutgoingValue,
        "wasi:blobstore/types@0.2.0-draft.incoming-value": crate::blob::IncomingValue,
        "wasi:blobstore/container@0.2.0-draft.container": crate::blob::Container,
        "wasi:blobstore/container@0.2.0-draft.stream-object-names": crate::blob::ObjectNames,
        "wasi:messaging/types@0.2.0-draft.client": crate::messaging::Client,
        "wasi:messaging/types@0.2.0-draft.message": crate::messaging::Message,
        "wasi:messaging/request-reply@0.2.0-draft.request-options": crate::messaging::RequestOptions,
    },
});

/// The export through which messages are delivered.
pub mod message_handler {
    wasmtime::component::bindgen!({
        path: "../../wit/messaging-0.2.0-draft",
        inline: "
            package slight:host;

            world message-handler {
                export wasi:messaging/incoming-handler@0.2.0-draft;
            }
        ",
        world: "slight:host/message-handler",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "wasi:messaging/types@0.2.0-draft": crate::bindings::wasi::messaging::types,
        },
    });
}
