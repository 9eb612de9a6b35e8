//! The ledger: Drover's records below `.drover`, on any store.
//!
//! The store is the truth about finished work. The first commit record written for a datum's index decides how the
//! datum ended; every other record can be rebuilt from those. Every record is JSON (the done index apart). Readers
//! ignore unknown fields, so an older Drover reads the records of a newer one.

mod audit;
mod capacity;
mod checksum;
mod datums;
mod done;
mod handle;
mod identity;
mod jobs;
mod limits;
mod notices;
mod notifications;
mod pipelines;
mod records;
mod sharing;

#[cfg(test)]
mod tests;

pub use audit::AuditEntry;
pub use capacity::WorkerCapacity;
pub use checksum::{CheckedReader, CheckedWriter};
pub use datums::{
    Commit, LiveLog, LogFile, ManifestEntry, PastRuns, Redo, Segment, SegmentSets, SetLog,
    SetVerdict,
};
pub use done::{DoneIndex, DoneRef};
pub use handle::Ledger;
pub use identity::StoreIdentity;
pub use jobs::{ReferenceError, Scope, Submission};
pub use limits::{Allotment, SharedLimit};
pub use notifications::{Deliveries, Delivery, EventSubject, Standstill};
pub use pipelines::{
    DeadLetter, Epoch, IdleQueues, IdleReason, LeaderTerm, PipelineChange, PipelineLock,
    PublicationNumber, RegisteredPipeline, RegistryError, Superseded, TermError,
};
