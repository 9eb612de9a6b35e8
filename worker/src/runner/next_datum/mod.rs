//! Requests of a batch command for its next datum: the program that the command calls, and the socket that answers.

mod program;
mod socket;

pub use program::NEXT_DATUM;

pub(super) use program::{NAME, take_over};
pub(super) use socket::{NextDatumMessage, NextDatumRequest, NextDatumSocket};
