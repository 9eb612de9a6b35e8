//! Commands that run jobs from this machine: `run` and `retry`.

pub(crate) mod local_worker;
pub(crate) mod retry;
pub(crate) mod run;
