//! The machinery of routes: requests, answers, errors, and the document that describes them.

pub(crate) mod api;
pub(crate) mod error;
pub(crate) mod openapi;
pub(crate) mod query;
pub(crate) mod route;
