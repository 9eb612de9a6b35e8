//! Values of flags, limits of lists, and tokens from the environment.

mod limits;
mod parsers;
mod tokens;

pub use limits::Rows;
pub use parsers::{DatumChoice, Format, Http, InputOverride};
pub(super) use parsers::{concurrency, duration, positive_duration};
pub use tokens::{ApiTokens, api_tokens};
