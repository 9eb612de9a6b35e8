//! `drover probe`: whether a process of ours is ready.

use drover_shared::process::probe_ready;

use super::CommandError;
use crate::args::Probe;
use crate::exit::Exit;

pub(super) fn probe(typed: &Probe) -> Result<Exit, CommandError> {
    probe_ready(typed.address)?;
    Ok(Exit::Success)
}
