//! What is broken below is said once, by the case that is about it.

use std::sync::Arc;

use async_trait::async_trait;
use slight_capabilities::{Bucket, Error, KeyValue, QualifiedName, Result};
use slight_conformance::{Connection, Harness, Suite, key_value};

use crate::Broken;

/// A database with a column missing.
struct NoColumn;

#[async_trait]
impl KeyValue for NoColumn {
    async fn open(&self, _: &QualifiedName) -> Result<Arc<dyn Bucket>> {
        let cause = Error::other("the server said no").with_source("column \"version\" does not exist");
        Err(Error::other("PostgreSQL refused the statement").with_source(cause))
    }
}

#[async_trait]
impl Harness for NoColumn {
    async fn connect(&self) -> Result<Connection> {
        let broken = Broken { key_value: Some(Arc::new(Self)), ..Broken::default() };
        Ok(Connection::Ready(Arc::new(broken)))
    }
}

static SUITE: Suite<key_value::Scope> =
    Suite::new("mydb", "conformance::key_value", || Arc::new(NoColumn), key_value::CASES);

#[tokio::test]
async fn the_deepest_failure_says_the_whole_cause_and_the_others_point_to_it() {
    let deepest = SUITE.check("a_value_comes_back_byte_for_byte").await.unwrap_err().to_string();
    assert!(
        deepest.contains(
            "PostgreSQL refused the statement: the server said no: column \"version\" does not exist (of `open"
        ),
        "{deepest}"
    );
    for case in key_value::CASES.iter().filter(|case| case.name != "a_value_comes_back_byte_for_byte") {
        let failure = SUITE.check(case.name).await.unwrap_err().to_string();
        assert_eq!(failure, "rests on a_value_comes_back_byte_for_byte, which failed: see there first", "{case:?}");
    }
}
