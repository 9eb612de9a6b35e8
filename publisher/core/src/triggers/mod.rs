//! Standing pipelines: when their inputs change, a job is due.
//!
//! A [`Keeper`] watches the inputs of one pipeline. It is *told* of changes ([`notice`]: inotify for folders, the clock
//! for buckets) and *looks* at them ([`inputs`]: what the inputs expand to now, as one short text). A job is due when
//! they are not what the newest job was started for, and have *settled* ([`settle`]). Clocks tick by writing files
//! ([`ticks`]), so they are inputs like any other.
//!
//! [`News`] spares them the clock where one process knows more. The keeper starts nothing. Several processes may keep the same pipeline; the steward that has the seat asks again
//! before it submits a job.

mod draft;
mod graph;
mod inputs;
mod keeper;
mod news;
mod notice;
mod overview;
mod settle;
mod ticks;
mod waiting;

pub use draft::Draft;
pub use graph::{Edge, Graph, Node, NodeKind};
pub use keeper::{Due, Keeper, Watchfulness, Watching};
pub use news::{Item, News};
pub use overview::{InputKind, InputOverview, Overview, PipelineState, overview};
pub use ticks::next_tick;
pub use waiting::Waiting;
