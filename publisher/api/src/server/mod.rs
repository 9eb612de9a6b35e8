//! The listener, access control, the list of routes, and the files of the page.

pub(crate) mod access;
pub(crate) mod assets;
pub(crate) mod audit;
pub(crate) mod base_path;
pub(crate) mod connections;
pub(crate) mod listen;
pub(crate) mod routes;
pub(crate) mod stored_token;
