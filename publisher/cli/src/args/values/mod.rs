//! Values of flags, limits of lists, and values from the environment alone.

mod limits;
mod parsers;
mod tokens;
mod trace;

pub use limits::Rows;
pub use parsers::{DatumChoice, Format, Http, InputOverride};
pub(super) use parsers::{
    concurrency, duration, positive_duration, positive_number, size, whole_number,
};
pub use tokens::{ApiTokens, api_tokens};
pub use trace::trace_parent;
