use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::QualifiedName;

/// The name that the empty name stands for.
const DEFAULT: &str = "default";

/// What a guest may do through a route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Reads only; every write is `Denied`.
    Read,
    /// Reads and writes.
    #[default]
    ReadWrite,
}

/// Where one name that guests use leads.
#[derive(Debug, Clone)]
pub struct Route<P> {
    /// The provider, or whatever stands for it.
    pub provider: P,
    /// Put before the encoded name in the backend.
    pub prefix: String,
    /// Key-value and blob only: what the bucket or container is called in the backend, where that is not what the guest
    /// calls it. Never for `"*"`, which stands for many names, nor with `existing`.
    pub name: Option<String>,
    /// What the guest may do. Key-value and blob only.
    pub access: Access,
    /// Blob only: the container is the backend's own location of this name, taken as it is, with literal object names.
    pub existing: Option<String>,
}

impl<P> Route<P> {
    /// A route to `provider` with nothing else set.
    pub fn to(provider: P) -> Self {
        Self { provider, prefix: String::new(), name: None, access: Access::default(), existing: None }
    }

    /// What the guest calls `name`, as the backend has it: under this route's name for it, and with its prefix.
    pub fn qualify(&self, name: &str) -> QualifiedName {
        QualifiedName::new(self.prefix.clone(), self.name.as_deref().unwrap_or_else(|| canonical(name)))
    }

    /// The same route to something else.
    pub fn map<Q>(&self, provider: impl FnOnce(&P) -> Q) -> Route<Q> {
        Route {
            provider: provider(&self.provider),
            prefix: self.prefix.clone(),
            name: self.name.clone(),
            access: self.access,
            existing: self.existing.clone(),
        }
    }
}

/// The routes of one capability: which provider answers for which name.
#[derive(Debug, Clone)]
pub struct Routes<P> {
    exact: BTreeMap<String, Route<P>>,
    any: Option<Route<P>>,
}

impl<P> Default for Routes<P> {
    fn default() -> Self {
        Self { exact: BTreeMap::new(), any: None }
    }
}

impl<P> Routes<P> {
    /// No routes: every name is denied.
    pub fn none() -> Self {
        Self::default()
    }

    /// Every name leads to `provider`.
    pub fn all_to(provider: P) -> Self {
        Self { exact: BTreeMap::new(), any: Some(Route::to(provider)) }
    }

    /// Adds a route; `"*"` stands for every name without one of its own. The last one said for a name holds.
    pub fn insert(&mut self, name: &str, route: Route<P>) {
        match name {
            "*" => self.any = Some(route),
            name => _ = self.exact.insert(canonical(name).to_owned(), route),
        }
    }

    /// The route for a name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Route<P>> {
        self.exact.get(canonical(name)).or(self.any.as_ref())
    }

    /// Every route with the name it was said for, `"*"` last.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Route<P>)> {
        let exact = self.exact.iter().map(|(name, route)| (name.as_str(), route));
        exact.chain(self.any.iter().map(|route| ("*", route)))
    }

    /// True when every name is denied.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.any.is_none()
    }

    /// The same routes to something else.
    ///
    /// # Errors
    /// The first error that `provider` gives.
    pub fn try_map<Q, E>(&self, mut provider: impl FnMut(&P) -> Result<Q, E>) -> Result<Routes<Q>, E> {
        let mut routes = Routes::none();
        for (name, route) in self.iter() {
            let mapped = provider(&route.provider)?;
            routes.insert(name, route.map(|_| mapped));
        }
        Ok(routes)
    }
}

/// The name that a guest's name stands for: the empty name and `default` are one.
pub fn canonical(name: &str) -> &str {
    if name.is_empty() { DEFAULT } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_name_is_default() {
        let mut routes = Routes::none();
        routes.insert("default", Route::to("redis"));
        assert_eq!(routes.find("").map(|route| route.provider), Some("redis"));
        assert_eq!(routes.find("").map(|route| route.qualify("")), Some(QualifiedName::new("", "default")));
    }

    #[test]
    fn a_route_may_have_a_name_of_its_own_for_the_backend() {
        let route = Route { name: Some("shop-sessions".to_owned()), ..Route::to("redis") };
        assert_eq!(route.qualify("sessions").encoded(), "shop-sessions");
        let route = Route { prefix: "eu".to_owned(), ..route.map(|_| "nats") };
        assert_eq!(route.qualify("sessions").encoded(), "eu=/shop-sessions");
    }

    #[test]
    fn a_name_without_a_route_is_denied_unless_there_is_one_for_any() {
        let mut routes = Routes::none();
        routes.insert("a", Route::to("redis"));
        assert!(routes.find("b").is_none());
        routes.insert("*", Route::to("memory"));
        assert_eq!(routes.find("b").map(|route| route.provider), Some("memory"));
        assert_eq!(routes.find("a").map(|route| route.provider), Some("redis"));
    }
}
