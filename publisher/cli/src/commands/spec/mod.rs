//! Commands about specs and one-liners, and the reading of both.

pub(crate) mod completions;
pub(crate) mod file_list;
pub(crate) mod import;
pub(crate) mod man;
pub(crate) mod manifest;
pub(crate) mod no_match;
pub(crate) mod one_liner;
mod pachyderm;
pub(crate) mod plan;
pub(crate) mod schema;
pub(crate) mod shell;
pub(crate) mod sources;
pub(crate) mod validate;
