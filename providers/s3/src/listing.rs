use slight_capabilities::{Cursor, Error, Page, Result};

use crate::{
    errors::{self, Effect},
    store::{Store, ask},
};

/// A listing: the keys that begin with `prefix`, each read by `name`.
pub(crate) struct Listing<'a> {
    pub(crate) store: &'a Store,
    pub(crate) prefix: &'a str,
    /// Which capability it belongs to, so that no cursor serves two.
    pub(crate) capability: &'static str,
    /// The name behind the prefix; `None` for keys that stand for none.
    pub(crate) name: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

/// Keys as S3 gave them, and where it goes on.
struct Keys {
    keys: Vec<String>,
    next: Option<String>,
}

impl Listing<'_> {
    /// One page: what S3 gives at once, up to 1,000 names. Where it gives none of ours but has more, the next.
    pub(crate) async fn page(&self, cursor: Option<&Cursor>) -> Result<Page<String>> {
        let Store { location, .. } = self.store;
        let scope = ["s3", self.capability, &location.bucket, self.prefix];
        let mut token = cursor
            .map(|cursor| cursor.payload(&scope))
            .transpose()?
            .map(String::from_utf8)
            .transpose()
            .map_err(|_| Error::invalid("the cursor was not made by this listing; start again without one"))?;
        loop {
            let found = self.keys(token.clone()).await?;
            let named = |key: &String| (self.name)(key.strip_prefix(self.prefix)?);
            let items: Vec<_> = found.keys.iter().filter_map(named).collect();
            let Some(next) = found.next else { return Ok(Page { items, next: None }) };
            if !items.is_empty() {
                return Ok(Page { items, next: Some(Cursor::new(&scope, next.as_bytes())) });
            }
            if token.as_ref() == Some(&next) {
                return Err(errors::odd());
            }
            token = Some(next);
        }
    }

    async fn keys(&self, token: Option<String>) -> Result<Keys> {
        let list = self.store.client.list_objects_v2().bucket(self.store.bucket()).prefix(self.prefix);
        let answer = ask(self.store.deadline(), list.set_continuation_token(token).send()).await;
        let answer = answer.map_err(|failure| self.store.error(failure, Effect::None))?;
        let next = match answer.is_truncated {
            Some(true) => Some(answer.next_continuation_token.ok_or_else(errors::odd)?),
            _ => None,
        };
        let keys = answer.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
        Ok(Keys { keys, next })
    }
}
