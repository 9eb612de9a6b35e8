//! The list of registered pipelines as text.

use jiff::tz::TimeZone;

use crate::render::jobs::detail::state;
use crate::render::terminal::number::moment;
use crate::render::terminal::text::printable;
use crate::render::{Palette, Table};
use drover_core::triggers::{InputOverview, PipelineOverview, PipelineState};

/// Pipelines, in the order given.
pub fn pipelines(pipelines: &[PipelineOverview], zone: &TimeZone, colours: Palette) -> Vec<String> {
    let mut table = Table::new(&["PIPELINE", "STATE", "READS", "LAST JOB", "", "UPDATED"]);
    for pipeline in pipelines {
        let job = pipeline.last_job.as_ref();
        table.row(vec![
            pipeline.pipeline.to_string(),
            word(pipeline.state).to_owned(),
            reads(&pipeline.inputs),
            job.map_or_else(|| "none yet".to_owned(), |job| job.id.short()),
            job.map(|job| state(job.state, colours)).unwrap_or_default(),
            moment(pipeline.updated, zone),
        ]);
    }
    table.take_lines()
}

fn word(state: PipelineState) -> &'static str {
    match state {
        PipelineState::Running => "running",
        PipelineState::Paused => "paused",
        PipelineState::Waiting => "waiting",
        PipelineState::Idle => "idle",
        PipelineState::Failed => "failed",
    }
}

fn reads(inputs: &[InputOverview]) -> String {
    let one = |input: &InputOverview| match &input.schedule {
        Some(schedule) => printable(schedule),
        None => printable(&format!("{}:{}", input.repo, input.glob)),
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(" + ")
}
