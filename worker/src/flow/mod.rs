//! The journey of a datum: staged, executed, uploaded, committed, each stage in its file, each hand-over its own
//! type, so that no stage can be skipped or repeated.
//!
//! Every stage may run twice: redelivery is normal life. The message that brought the datum is not known here.

mod claimed;
mod collect;
mod commit;
mod environment;
mod execute;
mod journey;
mod mark;
mod order;
mod placeholders;
mod stage;
mod suspicion;
mod upload;

pub(crate) use claimed::Claimed;
pub(crate) use journey::journey;

#[cfg(test)]
mod testing;
