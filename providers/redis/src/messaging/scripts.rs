use std::sync::LazyLock;

use crate::script::Script;

macro_rules! scripts {
    ($($new:ident $name:ident: $($file:literal)*;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::$new(concat!($(include_str!(concat!("lua/", $file, ".lua"))),*)));)*
    };
}

// Each with the functions that it stands on.
scripts! {
    new CREATE_GROUP: "stream" "aside" "topic" "create_group";
    that_frees DELETE_GROUP: "stream" "aside" "topic" "delete_group";
    new PUBLISH: "stream" "aside" "topic" "publish";
    that_frees TAKE: "clock" "stream" "aside" "topic" "take";
    that_frees ACK: "stream" "lease" "ack";
    that_frees POSTPONE: "clock" "lease" "postpone";
    that_frees COUNT: "lease" "count";
    new KEEP_INBOX: "aside" "keep_inbox";
    new REPLY: "aside" "reply";
}
