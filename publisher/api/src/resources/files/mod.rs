//! Files of the store and outputs of datums, for people who look at data.

mod content;
mod list;
mod output;
mod place;

pub(crate) use content::content;
pub(crate) use list::list;
pub(crate) use output::output;
