//! Number of rows in lists.

use super::parsers::{Format, whole_number};

/// Default number of rows in text output.
const DEFAULT_ROWS: u64 = 20;

/// Number of rows in lists.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Rows {
    /// Rows to show; 0 shows all [default: 20 as text, all as JSON]
    #[arg(long, value_name = "N", value_parser = whole_number::<u64>, allow_negative_numbers = true)]
    pub limit: Option<u64>,
}

impl Rows {
    /// The maximum number of rows; `u64::MAX` without a limit.
    pub fn most(self, format: Format) -> u64 {
        match (self.limit, format) {
            (Some(0), _) | (None, Format::Json) => u64::MAX,
            (Some(limit), _) => limit,
            (None, Format::Text) => DEFAULT_ROWS,
        }
    }
}
