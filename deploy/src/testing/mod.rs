//! Test support: a fake API server, a harness around one operator, and fixtures.

mod fake_api;
mod fixtures;
mod harness;

pub(crate) use fake_api::{FakeApi, FakeNetwork, RecordedRequest};
pub(crate) use fixtures::workers;
pub(crate) use harness::Harness;
