//! The tables by capability.

use std::fmt;

use slight::capabilities::{Guarantees, ProviderKind, RoundTrips};

/// A table in Markdown.
pub struct Table(String);

impl Table {
    pub fn new<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        let mut table = Self(String::new());
        let head: Vec<String> = head.into_iter().map(str::to_owned).collect();
        let line = head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>();
        table.row(head);
        table.row(line);
        table
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
        self.0.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds that say something, by name.
pub fn declared(kinds: &[ProviderKind]) -> impl Iterator<Item = (String, &Guarantees)> {
    kinds.iter().filter_map(|kind| Some((format!("`{}`", kind.name), kind.guarantees.as_ref()?)))
}

/// A row for each call and a column for each provider.
fn costs(columns: Vec<(String, Vec<(&'static str, RoundTrips)>)>) -> Table {
    let mut table = Table::new(["call"].into_iter().chain(columns.iter().map(|(name, _)| name.as_str())));
    let calls = columns.first().map(|(_, calls)| calls.as_slice()).unwrap_or_default();
    for (index, (call, _)) in calls.iter().enumerate() {
        let cells = columns.iter().map(|(_, calls)| calls[index].1.to_owned());
        table.row(std::iter::once((*call).to_owned()).chain(cells));
    }
    table
}

/// The calls by what the table calls them. A new one that is forgotten here does not compile.
macro_rules! calls {
    ($costs:expr => $type:ident { $($field:ident: $call:literal),* $(,)? }) => {{
        let slight::capabilities::$type { $($field),* } = $costs;
        vec![$(($call, $field)),*]
    }};
}

/// The two tables of a capability.
macro_rules! capability {
    ($module:ident, $largest:ident: $size:literal, $order:literal, $type:ident $calls:tt) => {
        pub mod $module {
            use super::*;

            pub fn sizes(kinds: &[ProviderKind]) -> Table {
                let mut table = Table::new(["provider", $size, $order]);
                for (name, said) in declared(kinds).filter_map(|(name, said)| Some((name, said.$module?))) {
                    table.row([name, said.$largest.to_string(), said.order.to_owned()]);
                }
                table
            }

            pub fn costs(kinds: &[ProviderKind]) -> Table {
                let said = declared(kinds).filter_map(|(name, said)| Some((name, said.$module?)));
                super::costs(said.map(|(name, said)| (name, calls!(said.costs => $type $calls))).collect())
            }
        }
    };
}

capability!(key_value, largest_value: "largest value", "order of a listing", KeyValueCosts {
    open: "open a bucket",
    get: "get",
    exists: "exists",
    set: "set",
    delete: "delete",
    swap: "swap (compare and swap)",
    increment: "increment",
    keys: "a page of keys",
    get_many: "get many",
    set_many: "set many",
    delete_many: "delete many",
});

capability!(blob, largest_object: "largest object", "order of a listing", BlobCosts {
    create_container: "create a container",
    get_container: "get a container",
    delete_container: "delete a container",
    read: "read",
    write: "write",
    stat: "info of an object",
    list: "a page of objects",
    delete: "delete",
    copy: "copy",
});

capability!(messaging, largest_message: "largest message", "order of messages", MessagingCosts {
    publish: "publish",
    receive: "receive",
    wait: "wait for a message",
    extend: "extend a lease",
    settle: "acknowledge, retry",
    reply: "reply",
});
