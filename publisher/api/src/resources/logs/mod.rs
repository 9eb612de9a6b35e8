//! Log lines of a datum: page by page, or as a file.

mod download;
mod list;

pub(crate) use download::download;
pub(crate) use list::list;
