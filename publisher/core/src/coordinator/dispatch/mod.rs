//! Publishes the messages of datums to the workers, no more at a time than the window allows.

pub(crate) mod dispatcher;
pub(crate) mod sets;
pub(crate) mod tasks;
