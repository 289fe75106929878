//! The conformance suites: one named case per `# Behavior` bullet of the contracts in `slight-capabilities`.
//!
//! A provider's test file implements [`Harness`], which says how to reach the backend, and calls a macro for each
//! capability that the provider has. Every case becomes a test of its own name, and all of them run in parallel, on one
//! connection:
//!
//! ```text
//! slight_conformance::key_value!(Redis::default());
//! ```
//!
//! Five more macros are for what is alike in the tests of many providers: [`many_keys!`], [`two_processes!`],
//! [`outage!`], [`disruptions!`] and [`page!`].
//!
//! Every case makes names of its own and removes what it made, also when it fails; none expects an empty backend.
//! Where the server is missing every case fails and says how to get it; with the environment variable `SLIGHT_ALLOW_SKIPS`
//! set it is skipped instead, which is said on stderr. `SLIGHT_CONFORMANCE_REPORT` names a file that gets a line for every
//! case that ran.
//!
//! A failure tells the call that it is about and the whole chain of its causes. A case that fails because another fails
//! that it rests on says only which: begin with those that say why. What takes long is said on stderr every 30 seconds,
//! with the calls that it waits for, and fails after three minutes.

pub mod blob;
pub mod disruption;
pub mod key_value;
pub mod messaging;
#[doc(hidden)]
pub mod outage;
#[doc(hidden)]
pub mod page;
pub mod provider;
#[doc(hidden)]
pub mod two_processes;

mod calls;
mod case;
mod check;
mod content;
mod harness;
mod listing;
mod names;
mod race;
mod report;
mod suite;
mod watched;

pub use case::{Case, Patience, Scope};
pub use check::{Failure, Outcome};
pub use harness::{Connection, Harness, Target};
pub use outage::{Killable, Start};
pub use provider::{SECRET, Section};
#[doc(hidden)]
pub use slight_capabilities::Capability;
#[doc(hidden)]
pub use suite::{Suite, run};

/// One test for each case of what every provider does, whatever it is chosen for: of connecting, preparing and inspecting, in
/// a module `provider`. Takes an expression for a [`Harness`] that has a [`section`](Harness::section).
#[macro_export]
macro_rules! provider {
    ($harness:expr) => {
        $crate::__provider_cases! { $crate::__tests { provider $harness } }
    };
}

/// One test for each case of the key-value contracts, in a module `key_value`. Takes an expression for a [`Harness`].
#[macro_export]
macro_rules! key_value {
    ($harness:expr) => {
        $crate::__key_value_cases! { $crate::__tests { key_value $harness } }
    };
}

/// One test for each case of the blob contracts, in a module `blob`. Takes an expression for a [`Harness`].
#[macro_export]
macro_rules! blob {
    ($harness:expr) => {
        $crate::__blob_cases! { $crate::__tests { blob $harness } }
    };
}

/// One test for each case of the messaging contract, in a module `messaging`. Takes an expression for a [`Harness`].
#[macro_export]
macro_rules! messaging {
    ($harness:expr) => {
        $crate::__messaging_cases! { $crate::__tests { messaging $harness } }
    };
}

/// A test that a bucket of a hundred thousand keys is listed completely, page by page, in a module `many_keys`. Takes an
/// expression for a [`Harness`].
#[macro_export]
macro_rules! many_keys {
    ($harness:expr) => {
        $crate::__suite! { many_keys key_value MANY_KEYS $harness; a_hundred_thousand_keys_are_listed_completely }
    };
}

/// Tests of a bucket that two processes write to at the same time, in a module `two_processes`, for key-value providers
/// that several processes may use. Takes an expression for a [`Harness`], which connects once more for each.
#[macro_export]
macro_rules! two_processes {
    ($harness:expr) => {
        $crate::__suite! {
            two_processes two_processes CASES $harness;
            two_processes_see_each_others_writes
            increments_of_two_processes_lose_none
            swaps_of_two_processes_lose_none
            an_entry_is_created_by_one_of_two_processes
        }
    };
}

/// Tests of a server that ends under load and comes back with its data, and of one that is silent, in a module `outage`,
/// for providers of servers. Takes a function that starts a server for one test, a [`Start`], and the capabilities of the
/// provider.
///
/// ```text
/// slight_conformance::outage!(start; key_value messaging);
/// ```
#[macro_export]
macro_rules! outage {
    ($start:expr; $($capability:ident)*) => {
        mod outage {
            use super::*;

            $($crate::__outage! { $capability $start })*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __outage {
    (key_value $start:expr) => {
        $crate::__outage! { $start;
            acknowledged_entries_survive_an_outage
            increments_in_an_outage_count_once_or_are_unknown
            calls_on_keys_of_a_silent_server_end_in_time
        }
    };
    (blob $start:expr) => {
        $crate::__outage! { $start;
            a_write_in_an_outage_fails_and_the_object_stays
            calls_on_objects_of_a_silent_server_end_in_time
        }
    };
    (messaging $start:expr) => {
        $crate::__outage! { $start;
            acknowledged_messages_survive_an_outage
            a_subscriber_goes_on_after_an_outage
            an_inbox_goes_on_after_an_outage
            calls_on_topics_of_a_silent_server_end_in_time
        }
    };
    ($start:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() -> ::std::result::Result<(), $crate::Failure> {
                $crate::outage::run(env!("CARGO_PKG_NAME"), module_path!(), stringify!($case), $start)
            }
        )*
    };
}

/// Tests of what operators, other programs and failovers do to what a provider keeps in its backend, in a module
/// `disruptions`. Takes the path of the provider's page, a function that makes a [`Stage`](disruption::Stage) for one row, and
/// the tables of [`Disruption`](disruption::Disruption)s of the provider's capabilities.
///
/// The page has a place for each table, which `SLIGHT_WRITE_DOCS=1` fills:
///
/// ```text
/// <!-- disruptions of messaging -->
/// <!-- end of disruptions of messaging -->
/// ```
///
/// ```text
/// slight_conformance::disruptions!("../../docs/providers/redis.md", stage; key_value ENTRIES, messaging TOPICS);
/// ```
///
/// where `stage` is a `fn() -> Starting<Backend>`, and a table a `&'static [Disruption<Backend>]`:
///
/// ```text
/// const TOPICS: &[Disruption<Backend>] = &[
///     Disruption::new("stream of a topic", "deleted", |backend, names| {
///         Box::pin(async move { backend.delete(&stream_key(&names.name)).await.map_err(|error| error.to_string()) })
///     })
///     .loses_what_it_held(),
/// ];
/// ```
#[macro_export]
macro_rules! disruptions {
    ($page:expr, $stage:expr; $($capability:ident $table:expr),* $(,)?) => {
        mod disruptions {
            use super::*;

            $($crate::__disruptions! { $capability $page, $stage, $table })*
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __disruptions {
    (key_value $page:expr, $stage:expr, $table:expr) => {
        $crate::__disruptions! { key_value KeyValue $page, $stage, $table }
    };
    (blob $page:expr, $stage:expr, $table:expr) => {
        $crate::__disruptions! { blob Blob $page, $stage, $table }
    };
    (messaging $page:expr, $stage:expr, $table:expr) => {
        $crate::__disruptions! { messaging Messaging $page, $stage, $table }
    };
    ($name:ident $capability:ident $page:expr, $stage:expr, $table:expr) => {
        #[test]
        fn $name() -> ::std::result::Result<(), $crate::Failure> {
            let page = ::std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join($page);
            let capability = $crate::Capability::$capability;
            $crate::disruption::run(capability, env!("CARGO_PKG_NAME"), module_path!(), &page, $stage, $table)
        }
    };
}

/// Tests that the page of a provider says what holds, in a module `page`: its table of settings is the one that is made
/// from them, and its first TOML is read, routes to all that the provider offers, and connects.
///
/// Takes the kind and the text of the page. A provider that needs a server adds a closure that gives settings for a
/// server of the tests, to be used in place of those on the page, or why there is none. The test file's crate needs
/// `slight-config`.
///
/// ```text
/// slight_conformance::page!(kind(), include_str!("../../../docs/providers/redis.md"), || {
///     shared_url(&REDIS).map(|url| json!({ "url": url }))
/// });
/// ```
#[macro_export]
macro_rules! page {
    ($kind:expr, $page:expr) => {
        $crate::page! { $kind, $page, || Ok::<_, String>(Default::default()) }
    };
    ($kind:expr, $page:expr, $real:expr) => {
        mod page {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn the_page_has_the_table_of_the_settings() -> ::std::result::Result<(), $crate::Failure> {
                let table = ::slight_config::settings_table($kind.schema.as_value());
                $crate::page::has_table($page, &table)
            }

            #[test]
            fn the_toml_of_the_page_works() -> ::std::result::Result<(), $crate::Failure> {
                let kind = $kind;
                let parse = |text: &str, dir: &::std::path::Path| {
                    // Variables hold their own names.
                    let env = |name: &str| Ok(name.to_owned());
                    let source = ::slight_config::Source { name: "the page", text, dir, env: &env };
                    let config =
                        ::slight_config::Config::parse(&source, &[$kind]).map_err(|wrong| wrong.to_string())?;
                    let routed = [!config.key_value.is_empty(), !config.blob.is_empty(), !config.messaging.is_empty()];
                    let sections = config.providers.into_values().filter(|section| section.kind == kind.name);
                    Ok($crate::page::Parsed { sections: sections.map(|section| section.settings).collect(), routed })
                };
                let directory = ::std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
                let real = || ($real)().map_err(|missing| missing.to_string());
                $crate::page::toml_works(&kind, $page, directory, parse, real)
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($suite:ident $harness:expr; $($module:ident ($($deeper:ident)*) { $($case:ident)* })*) => {
        $crate::__suite! { $suite $suite CASES $harness; $($($case)*)* }
    };
}

/// A test for each case of a table, in a module.
#[doc(hidden)]
#[macro_export]
macro_rules! __suite {
    ($module:ident $suite:ident $cases:ident $harness:expr; $($case:ident)*) => {
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            static SUITE: $crate::Suite<$crate::$suite::Scope> = $crate::Suite::new(
                env!("CARGO_PKG_NAME"),
                module_path!(),
                || ::std::sync::Arc::new($harness),
                $crate::$suite::$cases,
            );

            $(
                #[test]
                fn $case() -> ::std::result::Result<(), $crate::Failure> {
                    $crate::run(&SUITE, stringify!($case))
                }
            )*
        }
    };
}

/// The table of a suite's cases, from the same list as the tests.
macro_rules! table {
    ($scope:ty; $($module:ident $deeper:tt { $($case:ident)* })*) => {
        /// Every case, in the order of the contracts.
        pub const CASES: &[$crate::Case<$scope>] = &[$($(
            $crate::Case::new(stringify!($case), |scope| Box::pin($module::$case(scope)))
                .resting_on($crate::names_of! $deeper),
        )*)*];
    };
}
pub(crate) use table;

macro_rules! names_of {
    ($($name:ident)*) => { &[$(stringify!($name)),*] };
}
pub(crate) use names_of;
