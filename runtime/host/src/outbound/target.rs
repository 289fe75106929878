//! The path of an outgoing request, where wasmtime-wasi-http takes for an error what WASI allows; so the functions that
//! set it and those that send are linked by hand.
//!
//! - WASI: "When `none`, this represents an empty Path and empty Query". HTTP sends `/` in its place (RFC 9110, section
//!   4.2.3), or `*` where the method is OPTIONS (RFC 9112, section 3.2.4).
//! - A path that begins with no `/`, as `a/b` or `../c`, is valid, and reads back as it was set. It is sent behind a `/`:
//!   no other way leads to a host.

use http::{Method, uri::PathAndQuery};
use wasmtime::{
    Result, StoreContextMut,
    component::{Accessor, Linker, Resource},
};
use wasmtime_wasi_http::{
    RequestOptions, WasiHttp, WasiHttpView,
    p2::{
        bindings::http::{outgoing_handler::Host, types},
        types::{HostFutureIncomingResponse, HostOutgoingRequest},
    },
    p3::{
        self,
        bindings::http::{client::HostWithStore, types as types3},
    },
};

use crate::state::State;

const ROOT: &str = "/";
const WHOLE_SERVER: &str = "*";

/// What a relative path begins with in a request of 0.3, whose type holds no other than absolute ones. Nobody's path has
/// this noncharacter: guests may not set it, and the server refuses it.
const RELATIVE: &str = "/\u{10FFFF}";

/// Which text is never exchanged (Unicode, section 23.7).
pub(crate) const NONCHARACTER: char = '\u{10FFFF}';

/// Links what sets paths and what sends requests, in place of what was linked.
///
/// # Errors
/// When the linker does not take the definitions.
pub(crate) fn link_sending(linker: &mut Linker<State>, with_tasks: bool) -> Result<()> {
    linker.allow_shadowing(true);
    linker
        .instance("wasi:http/types@0.2.12")?
        .func_wrap("[method]outgoing-request.set-path-with-query", set_path_with_query)?;
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap("handle", handle)?;
    if with_tasks {
        let mut types = linker.instance("wasi:http/types@0.3.0")?;
        types.func_wrap("[method]request.get-path-with-query", get_path_with_query_0_3)?;
        types.func_wrap("[method]request.set-path-with-query", set_path_with_query_0_3)?;
        linker
            .instance("wasi:http/client@0.3.0")?
            .func_wrap_concurrent("send", |accessor, (request,)| Box::pin(send(accessor, request)))?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

/// Whether it is valid: `path` itself, or behind a `/`.
fn parse(path: &str) -> Option<PathAndQuery> {
    if path.contains(NONCHARACTER) {
        return None;
    }
    match path {
        "" => Some(PathAndQuery::from_static(ROOT)),
        path if path.starts_with(['/', '?']) || path == WHOLE_SERVER => PathAndQuery::try_from(path).ok(),
        relative => PathAndQuery::try_from(format!("/{relative}")).ok(),
    }
}

/// The path that is sent for what the guest has set.
fn sent(path: Option<&str>, is_options: bool) -> Option<PathAndQuery> {
    match path {
        None | Some("") if is_options => Some(PathAndQuery::from_static(WHOLE_SERVER)),
        None | Some("") => Some(PathAndQuery::from_static(ROOT)),
        Some(WHOLE_SERVER) if !is_options => Some(PathAndQuery::from_static("/*")),
        Some(path) => parse(path),
    }
}

type Set = (std::result::Result<(), ()>,);

fn set_path_with_query(
    mut store: StoreContextMut<'_, State>,
    (request, path): (Resource<HostOutgoingRequest>, Option<String>),
) -> Result<Set> {
    let request = store.data_mut().table.get_mut(&request)?;
    if path.as_deref().is_some_and(|path| parse(path).is_none()) {
        return Ok((Err(()),));
    }
    request.path_with_query = path;
    Ok((Ok(()),))
}

fn set_path_with_query_0_3(
    mut store: StoreContextMut<'_, State>,
    (request, path): (Resource<p3::Request>, Option<String>),
) -> Result<Set> {
    let request = store.data_mut().table.get_mut(&request)?;
    request.path_with_query = match path.as_deref().map(keep) {
        Some(None) => return Ok((Err(()),)),
        kept => kept.flatten(),
    };
    Ok((Ok(()),))
}

/// A valid path as a request of 0.3 holds it.
fn keep(path: &str) -> Option<PathAndQuery> {
    let parsed = parse(path)?;
    if path.starts_with(['/', '?']) {
        return Some(parsed);
    }
    PathAndQuery::try_from(format!("{RELATIVE}{path}")).ok()
}

/// What the guest has set.
fn kept(path: &PathAndQuery) -> &str {
    path.as_str().strip_prefix(RELATIVE).unwrap_or(path.as_str())
}

fn get_path_with_query_0_3(
    store: StoreContextMut<'_, State>,
    (request,): (Resource<p3::Request>,),
) -> Result<(Option<String>,)> {
    let request = store.data().table.get(&request)?;
    let path = request.path_with_query.as_ref().map(kept);
    Ok((path.map(|path| if path.is_empty() { ROOT } else { path }.to_owned()),))
}

type Handled = std::result::Result<Resource<HostFutureIncomingResponse>, types::ErrorCode>;

fn handle(
    mut store: StoreContextMut<'_, State>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> Result<(Handled,)> {
    let mut http = store.data_mut().http();
    let request_to_send = http.table.get_mut(&request)?;
    let is_options = matches!(request_to_send.method, types::Method::Options);
    let path = sent(request_to_send.path_with_query.as_deref(), is_options);
    request_to_send.path_with_query = path.map(|path| path.as_str().to_owned());
    match http.handle(request, options) {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

type Sent = std::result::Result<Resource<p3::Response>, types3::ErrorCode>;

async fn send(accessor: &Accessor<State>, request: Resource<p3::Request>) -> Result<(Sent,)> {
    accessor.with(|mut store| {
        let http = store.data_mut().http();
        let request_to_send = http.table.get_mut(&request)?;
        let is_options = request_to_send.method == Method::OPTIONS;
        request_to_send.path_with_query = sent(request_to_send.path_with_query.as_ref().map(kept), is_options);
        wasmtime::error::Ok(())
    })?;
    let http = accessor.with_getter::<WasiHttp>(State::http);
    match <WasiHttp as HostWithStore<State>>::send(&http, request).await {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_back_as_it_was_set_and_leads_to_the_host() {
        for (path, read, get, options) in [
            ("/", "/", "/", "/"),
            ("/a/../../b?q", "/a/../../b?q", "/a/../../b?q", "/a/../../b?q"),
            ("", "", "/", "*"),
            ("?q", "?q", "?q", "?q"),
            ("a/b/c", "a/b/c", "/a/b/c", "/a/b/c"),
            ("../..", "../..", "/../..", "/../.."),
            ("a?q=/b", "a?q=/b", "/a?q=/b", "/a?q=/b"),
            ("*", "*", "/*", "*"),
            ("**", "**", "/**", "/**"),
            ("http://elsewhere/a", "http://elsewhere/a", "/http://elsewhere/a", "/http://elsewhere/a"),
            ("@elsewhere", "@elsewhere", "/@elsewhere", "/@elsewhere"),
            (":80/a", ":80/a", "/:80/a", "/:80/a"),
        ] {
            let held = keep(path).unwrap();
            assert_eq!(kept(&held), read, "{path:?}");
            let line = |is_options| sent(Some(kept(&held)), is_options).unwrap().as_str().to_owned();
            assert_eq!((line(false).as_str(), line(true).as_str()), (get, options), "{path:?}");
        }
        for bad in ["a b", "/a b", "a\r\nhost: b", "/\u{10FFFF}a", "\u{10FFFF}", "/a\x7f", "a\0"] {
            assert!(keep(bad).is_none() && parse(bad).is_none(), "{bad:?}");
        }
        for (is_options, line) in [(false, "/"), (true, "*")] {
            assert_eq!(sent(None, is_options).unwrap().as_str(), line);
            assert_eq!(sent(Some(""), is_options).unwrap().as_str(), line);
        }
    }
}
