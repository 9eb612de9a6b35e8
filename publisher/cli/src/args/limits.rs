//! How many rows a list shows.

use super::Format;

/// Rows that a list shows to a person who did not say how many.
const ROWS_FOR_PEOPLE: u64 = 20;

/// How many rows a list shows.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Rows {
    /// Rows to show; 0 shows all [default: 20 as text, all as JSON]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

impl Rows {
    /// The greatest number of rows; none means all.
    pub fn most(self, format: Format) -> u64 {
        match (self.limit, format) {
            (Some(0), _) | (None, Format::Json) => u64::MAX,
            (Some(limit), _) => limit,
            (None, Format::Text) => ROWS_FOR_PEOPLE,
        }
    }
}
