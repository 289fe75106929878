use std::sync::LazyLock;

use crate::script::Script;

macro_rules! scripts {
    ($($name:ident: $($file:literal)*;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),*)));)*
    };
}

// Each with the functions that it stands on.
scripts! {
    CREATE_GROUP: "stream" "aside" "topic" "create_group";
    DELETE_GROUP: "stream" "aside" "topic" "delete_group";
    PUBLISH: "stream" "aside" "topic" "publish";
    TAKE: "clock" "stream" "aside" "topic" "take";
    ACK: "stream" "lease" "ack";
    POSTPONE: "clock" "lease" "postpone";
    COUNT: "lease" "count";
    KEEP_INBOX: "aside" "keep_inbox";
    REPLY: "aside" "reply";
}
