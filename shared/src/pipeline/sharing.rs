//! How pipelines share the workers of a fleet.

use std::fmt;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The weight of a class beside the next lower one. Larger than any share, so classes do not overlap.
const CLASS: f64 = 100.0;

/// The class of a pipeline.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// The last class: about a hundredth of the time while other pipelines have work.
    Low,
    /// The default class.
    #[default]
    Normal,
    /// The first class.
    High,
}

/// The word of the spec.
impl fmt::Display for Priority {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        })
    }
}

/// The place of a pipeline among pipelines with the same workers.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Sharing {
    /// The class.
    pub priority: Priority,
    /// The share within the class, from 1 to [`Sharing::LARGEST_SHARE`]; default 1.
    pub share: NonZeroU32,
}

impl Sharing {
    /// The largest share.
    pub const LARGEST_SHARE: u32 = 100;

    /// The weight: with datums of two pipelines always ready, the time of the slots is shared in proportion to their weights.
    pub fn weight(self) -> f64 {
        let class = match self.priority {
            Priority::Low => 1.0,
            Priority::Normal => CLASS,
            Priority::High => CLASS * CLASS,
        };
        f64::from(self.share.get()) * class
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            priority: Priority::Normal,
            share: NonZeroU32::MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_counts_within_a_class_and_no_share_reaches_the_next_class() {
        let weight = |priority, share| {
            let share = NonZeroU32::new(share).unwrap();
            Sharing { priority, share }.weight()
        };
        let double = weight(Priority::Normal, 2) / weight(Priority::Normal, 1);
        assert!((double - 2.0).abs() < 1e-9);
        let most = Sharing::LARGEST_SHARE;
        assert!(weight(Priority::Low, most) <= weight(Priority::Normal, 1));
        assert!(weight(Priority::Normal, most) <= weight(Priority::High, 1));
        assert!(weight(Priority::Low, 1) > 0.0);
    }
}
