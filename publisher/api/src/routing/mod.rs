//! The framework of routes: shared state, requests, answers, errors, and the document.

pub(crate) mod api;
pub(crate) mod body;
pub(crate) mod broker;
pub(crate) mod error;
pub mod metrics;
pub(crate) mod openapi;
pub(crate) mod produced;
pub(crate) mod query;
pub(crate) mod role;
pub(crate) mod route;
pub(crate) mod updates;
