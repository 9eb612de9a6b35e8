//! Example verdicts.

use jiff::Timestamp;

use crate::datum::{MemoryObserver, ResourceUsage, StageStats, Verdict, VerdictState};
use crate::id::{DatumId, WorkerId};

/// A success at the first attempt, without outputs, at the beginning of the epoch.
#[expect(clippy::missing_panics_doc, reason = "the id is legal")]
pub fn success(index: u64, datum: DatumId) -> Verdict {
    Verdict {
        index,
        datum,
        state: VerdictState::Success,
        attempts: 1,
        worker: "worker-1".parse::<WorkerId>().expect("a legal id"),
        cause: None,
        staged: format!("claim-{index}"),
        outputs: Vec::new(),
        stats: StageStats::default(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        usage: None,
        taken_from: None,
    }
}

/// The usage of an attempt that held so many bytes of memory, and nothing else.
pub fn usage(memory_bytes: u64) -> ResourceUsage {
    ResourceUsage {
        memory_bytes,
        memory_by: MemoryObserver::Group,
        cpu_time_s: None,
        read_bytes: 0,
        written_bytes: 0,
    }
}
