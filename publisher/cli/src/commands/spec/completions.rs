//! `drover completions`: prints the completions for a shell.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::commands::Context;
use crate::exit::Exit;

pub(crate) fn completions(typed: &Completions, context: &Context) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut Cli::command(), "drover", &mut script);
    let mut out = context.console.data();
    out.raw(script.trim_ascii_end())?;
    out.finish()?;
    Ok(Exit::Success)
}
