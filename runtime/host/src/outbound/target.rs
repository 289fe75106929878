//! The target of a request that names no path.
//!
//! WASI: "When `none`, this represents an empty Path and empty Query". wasmtime-wasi-http takes it for an error, so
//! the functions that send are linked by hand, and fill in what HTTP sends in its place: `/` (RFC 9110, section 4.2.3),
//! or `*` where the method is OPTIONS (RFC 9112, section 3.2.4).

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

/// Links what sends requests, in place of what was linked.
///
/// # Errors
/// When the linker does not take the definitions.
pub(crate) fn link_sending(linker: &mut Linker<State>, with_tasks: bool) -> Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:http/outgoing-handler@0.2.12")?.func_wrap("handle", handle)?;
    if with_tasks {
        linker
            .instance("wasi:http/client@0.3.0")?
            .func_wrap_concurrent("send", |accessor, (request,)| Box::pin(send(accessor, request)))?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

type Handled = std::result::Result<Resource<HostFutureIncomingResponse>, types::ErrorCode>;

fn handle(
    mut store: StoreContextMut<'_, State>,
    (request, options): (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>),
) -> Result<(Handled,)> {
    let mut http = store.data_mut().http();
    let sent = http.table.get_mut(&request)?;
    if sent.path_with_query.as_ref().is_none_or(String::is_empty) {
        let is_options = matches!(sent.method, types::Method::Options);
        sent.path_with_query = Some(if is_options { WHOLE_SERVER } else { ROOT }.to_owned());
    }
    match http.handle(request, options) {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

type Sent = std::result::Result<Resource<p3::Response>, types3::ErrorCode>;

async fn send(accessor: &Accessor<State>, request: Resource<p3::Request>) -> Result<(Sent,)> {
    accessor.with(|mut store| {
        let http = store.data_mut().http();
        let sent = http.table.get_mut(&request)?;
        if sent.path_with_query.as_ref().is_none_or(|path| path.as_str().is_empty()) {
            let is_options = sent.method == Method::OPTIONS;
            sent.path_with_query = Some(PathAndQuery::from_static(if is_options { WHOLE_SERVER } else { ROOT }));
        }
        wasmtime::error::Ok(())
    })?;
    let http = accessor.with_getter::<WasiHttp>(State::http);
    match <WasiHttp as HostWithStore<State>>::send(&http, request).await {
        Ok(response) => Ok((Ok(response),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}
