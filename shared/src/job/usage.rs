//! Resources that the commands of a job used: summed up in a size that does not depend on the number of datums.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::datum::ResourceUsage;
use crate::histogram::LogHistogram;

/// Resources that the commands of a job's datums used.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct ResourceSummary {
    /// Datums that were measured.
    pub measured: u64,
    /// Half of the datums needed no more memory, in bytes; at most an eighth too large, like the next one.
    pub memory_median_bytes: u64,
    /// Of 100 datums, 95 needed no more memory, in bytes.
    pub memory_p95_bytes: u64,
    /// The most memory of a datum, in bytes.
    pub memory_max_bytes: u64,
    /// Index of the datum that needed the most memory.
    pub memory_max_datum: u64,
    /// CPU seconds of all datums.
    pub cpu_time_s: f64,
    /// Bytes read from disks.
    pub read_bytes: u64,
    /// Bytes written to disks.
    pub written_bytes: u64,
}

/// The sums behind a [`ResourceSummary`].
#[derive(Clone, Debug, Default)]
pub struct ResourceTally {
    memory: LogHistogram,
    summary: ResourceSummary,
}

impl ResourceTally {
    /// Adds the usage of a datum.
    pub fn add(&mut self, index: u64, usage: &ResourceUsage) {
        self.memory.add(usage.memory_bytes);
        let sum = &mut self.summary;
        // Among equals the first datum, so the order of the reports does not matter.
        if (usage.memory_bytes, u64::MAX - index)
            > (sum.memory_max_bytes, u64::MAX - sum.memory_max_datum)
            || sum.measured == 0
        {
            sum.memory_max_bytes = usage.memory_bytes;
            sum.memory_max_datum = index;
        }
        sum.measured = sum.measured.saturating_add(1);
        sum.cpu_time_s += usage.cpu_time_s.unwrap_or_default();
        sum.read_bytes = sum.read_bytes.saturating_add(usage.read_bytes);
        sum.written_bytes = sum.written_bytes.saturating_add(usage.written_bytes);
    }

    /// The summary; none if no datum was measured.
    pub fn summary(&self) -> Option<ResourceSummary> {
        let of = |share| {
            let bound = self.memory.quantile(share)?;
            Some(bound.min(self.summary.memory_max_bytes))
        };
        Some(ResourceSummary {
            memory_median_bytes: of(0.5)?,
            memory_p95_bytes: of(0.95)?,
            ..self.summary
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::datum::MemoryObserver;

    fn usage(memory_bytes: u64) -> ResourceUsage {
        ResourceUsage {
            memory_bytes,
            memory_by: MemoryObserver::Group,
            cpu_time_s: Some(0.5),
            read_bytes: 1,
            written_bytes: 2,
        }
    }

    #[test]
    fn a_job_without_measured_datums_has_no_summary() {
        assert_eq!(ResourceTally::default().summary(), None);
    }

    proptest! {
        #[test]
        fn the_order_of_the_datums_does_not_matter(
            memory in proptest::collection::vec(0..1_000_000_u64, 1..50),
        ) {
            let datums: Vec<_> = (0..).zip(memory.iter().map(|bytes| usage(*bytes))).collect();
            let (mut forth, mut back) = (ResourceTally::default(), ResourceTally::default());
            for (index, usage) in &datums {
                forth.add(*index, usage);
            }
            for (index, usage) in datums.iter().rev() {
                back.add(*index, usage);
            }
            let summary = forth.summary().unwrap();
            prop_assert_eq!(Some(summary), back.summary());
            let most = *memory.iter().max().unwrap();
            let first = memory.iter().position(|it| *it == most).unwrap() as u64;
            prop_assert_eq!((summary.memory_max_bytes, summary.memory_max_datum), (most, first));
            prop_assert!(summary.memory_median_bytes <= summary.memory_p95_bytes);
            prop_assert!(summary.memory_p95_bytes <= most);
        }
    }
}
