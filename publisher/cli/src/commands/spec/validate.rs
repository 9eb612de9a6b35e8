//! `drover validate`: checks specs and prints all findings.

use crate::args::{Format, Validate};
use crate::commands::Context;
use crate::commands::spec::sources;
use crate::exit::Exit;
use crate::render;

pub(crate) fn validate(typed: &Validate, context: &Context) -> anyhow::Result<Exit> {
    let checked = sources::check(sources::read_all(&typed.specs)?)?;
    let mut out = context.console.data();
    for each in &checked.pipelines {
        match context.console.format {
            Format::Json => out.json(&each.spec)?,
            Format::Text => out.line(format!(
                "{} {}",
                context.console.out.good("valid"),
                each.pipeline.name
            ))?,
        }
    }
    out.finish()?;
    for note in &checked.notes {
        context
            .console
            .message(render::finding(note, &checked.texts, context.console.err));
    }
    Ok(Exit::Success)
}
