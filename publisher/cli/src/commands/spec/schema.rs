//! `drover schema`: prints the JSON Schema of specs.

use drover_shared::pipeline;

use crate::commands::Context;
use crate::exit::Exit;

pub(crate) fn schema(context: &Context) -> anyhow::Result<Exit> {
    let mut out = context.console.data();
    out.line(format!("{:#}", pipeline::schema()))?;
    out.finish()?;
    Ok(Exit::Success)
}
