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
    CREATE_GROUP: "create_group";
    DELETE_GROUP: "trim" "delete_group";
    PUBLISH: "publish";
    TAKE: "trim" "clock" "take";
    ACK: "trim" "ack";
    POSTPONE: "clock" "postpone";
    KEEP_INBOX: "keep_inbox";
    REPLY: "reply";
}
