//! `drover probe`: asks a process whether it is ready.

use drover_shared::process::probe_ready;

use crate::args::Probe;
use crate::exit::Exit;

pub(crate) fn probe(typed: &Probe) -> anyhow::Result<Exit> {
    probe_ready(typed.address)?;
    Ok(Exit::Success)
}
