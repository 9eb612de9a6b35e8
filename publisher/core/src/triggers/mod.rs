//! Registered pipelines: when their inputs change, a job is due.
//!
//! An [`InputWatcher`] watches the inputs of one pipeline. A [`file_watcher`] (inotify for folders, the clock for
//! buckets) tells it of changes, and it computes the [`fingerprint`] of what the inputs expand to now. A job is due when
//! this fingerprint differs from the one that the newest job was started for, after a [`debounce`]. Clocks write files
//! ([`ticks`]), so they are inputs like any other. A [`Notifier`] passes events inside the process, which saves waiting
//! for the clock.
//!
//! A watcher starts no job. Several processes may watch the same pipeline; the leader of the pipeline asks again before
//! it submits a job.

mod debounce;
mod file_watcher;
mod fingerprint;
mod input_watcher;
mod notifier;
mod overview;
mod pending_job;
mod pipeline_graph;
mod records_stamp;
mod shared_watcher;
mod ticks;
mod wait_reasons;

pub use input_watcher::{InputWatcher, NextWork, WatchContext, WatchSettings};
pub use notifier::{Notifier, PipelineEvent};
pub use overview::{InputKind, InputOverview, PipelineOverview, PipelineState, overview};
pub use pending_job::PendingJob;
pub use pipeline_graph::{Edge, Node, NodeKind, PipelineGraph};
pub use ticks::next_tick;
pub use wait_reasons::WaitReasons;
