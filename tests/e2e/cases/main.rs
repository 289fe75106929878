//! The real binary with real guests, over real HTTP; a module a theme.

mod curl;
mod readme;
mod servers;
mod support;

mod bad_components;
mod bad_configurations;
mod blob;
mod check;
mod clients;
mod code_cache;
mod command_line;
mod commands;
mod component_settings;
mod examples;
mod guest_failures;
mod host_calls;
mod http;
mod key_value;
mod key_value_draft;
mod large;
mod limits;
mod logging;
mod memory;
mod messaging;
mod outage;
mod outbound;
mod overload;
mod providers;
mod request_reply;
mod routes;
mod sharing;
mod shutdown;
