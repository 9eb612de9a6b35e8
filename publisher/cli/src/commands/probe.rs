//! `drover probe`: whether a process of ours is ready.

use drover_shared::process::ask_ready;

use super::CommandError;
use crate::args::Probe;
use crate::exit::Exit;

pub(super) fn probe(typed: &Probe) -> Result<Exit, CommandError> {
    ask_ready(typed.address)?;
    Ok(Exit::Success)
}
