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
//! Every case makes names of its own and removes what it made, also when it fails; none expects an empty backend.
//! Where the server is missing the cases are skipped, which is said on stderr; with the environment variable `CI` set a
//! skipped case fails.

pub mod blob;
pub mod key_value;
pub mod messaging;

mod case;
mod check;
mod content;
mod harness;
mod listing;
mod names;
mod race;
mod suite;

pub use case::{Case, Patience, Scope};
pub use check::{Failure, Outcome};
pub use harness::{Connection, Harness, Target};
#[doc(hidden)]
pub use suite::{Suite, run};

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

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($suite:ident $harness:expr; $($module:ident { $($case:ident)* })*) => {
        mod $suite {
            #[allow(unused_imports)]
            use super::*;

            static SUITE: $crate::Suite<$crate::$suite::Scope> =
                $crate::Suite::new(|| ::std::sync::Arc::new($harness), $crate::$suite::CASES);

            $($(
                #[test]
                fn $case() -> ::std::result::Result<(), $crate::Failure> {
                    $crate::run(&SUITE, stringify!($case))
                }
            )*)*
        }
    };
}

/// The table of a suite's cases, from the same list as the tests.
macro_rules! table {
    ($scope:ty; $($module:ident { $($case:ident)* })*) => {
        /// Every case, in the order of the contracts.
        pub const CASES: &[$crate::Case<$scope>] = &[$($(
            $crate::Case::new(stringify!($case), |scope| Box::pin($module::$case(scope))),
        )*)*];
    };
}
pub(crate) use table;
