//! The load of a worker, by its metrics.

use std::time::Duration;

/// The worker's gauge of busy slots.
const BUSY: &str = "drover_slots_busy";

/// The worker's gauge of the seconds since a slot was last in use.
const IDLE: &str = "drover_idle_seconds";

/// The load of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WorkerLoad {
    /// The worker runs no datum.
    Idle {
        /// Time since the last datum; the longest possible time for a worker of an older version.
        since: Duration,
    },
    /// The worker does not answer.
    Unknown,
    /// The worker runs a datum.
    Busy,
}

impl WorkerLoad {
    /// The load by the metrics of a worker.
    pub fn of(metrics: &str) -> Self {
        match value(metrics, BUSY) {
            Some(busy) if busy > 0.0 => Self::Busy,
            Some(_) => Self::Idle {
                since: value(metrics, IDLE)
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
                    .unwrap_or(Duration::MAX),
            },
            None => Self::Unknown,
        }
    }
}

fn value(metrics: &str, name: &str) -> Option<f64> {
    let value = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_s_measures_tell_whether_it_is_busy() {
        let help = "# HELP drover_slots_busy slots in use\n# TYPE drover_slots_busy gauge\n";
        let idle = |since| WorkerLoad::Idle { since };
        let rows = [
            (
                "drover_slots 4\ndrover_slots_busy 2\ndrover_idle_seconds 0\n",
                WorkerLoad::Busy,
            ),
            (
                "drover_slots_busy 0\ndrover_idle_seconds 12.5\n",
                idle(Duration::from_millis(12_500)),
            ),
            ("drover_slots_busy 0\n", idle(Duration::MAX)),
            ("drover_slots 4\n", WorkerLoad::Unknown),
            ("drover_slots_busy much\n", WorkerLoad::Unknown),
            ("", WorkerLoad::Unknown),
        ];
        for (metrics, expected) in rows {
            assert_eq!(
                WorkerLoad::of(&format!("{help}{metrics}")),
                expected,
                "{metrics}"
            );
        }
    }
}
