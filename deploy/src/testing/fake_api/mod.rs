//! A fake Kubernetes API server. It keeps objects as a real server does, as far as the operator can tell, and records
//! each request.
//!
//! Schemas, rights and quotas are checked by a real server only. The fake does refuse a repeated key in a keyed list, as
//! server-side apply does for every schema.

mod answer;
mod lists;
mod network;
mod request;
mod server;
mod state;

pub(crate) use network::FakeNetwork;
pub(crate) use request::RecordedRequest;
pub(crate) use server::FakeApi;
