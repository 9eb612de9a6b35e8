//! A fake Kubernetes API server. It keeps objects as a real server does, as far as the operator can tell, and records
//! each request.
//!
//! The fake validates pipelines by the installed definition, CEL rules included. Of other objects the fake refuses
//! unknown fields, repeated keys in keyed lists and changes of immutable fields. Rights, quotas and admission are left to
//! a real server.

mod answer;
mod builtin;
mod cel;
mod lists;
mod network;
mod request;
mod scale;
mod schema;
mod server;
mod state;

pub(crate) use network::FakeNetwork;
pub(crate) use request::RecordedRequest;
pub(crate) use server::FakeApi;
