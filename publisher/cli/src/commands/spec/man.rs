//! `drover man`: writes the manual pages of all commands.

use anyhow::Context as _;
use clap::CommandFactory;

use crate::args::{Cli, Man};
use crate::commands::Context;
use crate::exit::Exit;

pub(crate) fn man(typed: &Man, context: &Context) -> anyhow::Result<Exit> {
    let directory = &typed.directory;
    std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), directory))
        .with_context(|| format!("cannot write manual pages into {}", directory.display()))?;
    let message = format!("the manual pages are in {}", directory.display());
    context.console.message(message);
    Ok(Exit::Success)
}
