//! Commands that run jobs on the local machine: `run` and `retry`.

pub(crate) mod broker_worker;
pub(crate) mod local_run;
pub(crate) mod retry;
mod working_dir;
