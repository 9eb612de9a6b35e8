//! The flow of a datum: stage, execute, upload, commit. Each stage takes the type that the stage before returns, so
//! no stage can be skipped or repeated.
//!
//! Every stage may run twice, as messages are redelivered. The flow does not know the message that delivered a datum.

mod claimed;
mod collect;
mod commit;
mod evidence;
mod execute;
mod journey;
mod memory;
mod set_commits;
mod stage;
mod upload;

pub(crate) use claimed::ClaimedDatum;
pub(crate) use journey::journey;
pub(crate) use set_commits::SetCommits;

#[cfg(test)]
mod testing;
