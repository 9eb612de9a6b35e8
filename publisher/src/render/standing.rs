//! Why a standing pipeline starts no job, in sentences.

use drover_shared::job::JobState;
use jiff::Timestamp;

use super::text::printable;
use crate::standing::Overview;

/// What is in the way of a job of `pipeline`, a sentence or two an item; `all` are the pipelines that stand, `next_tick` is
/// when a clock that it reads ticks next.
pub fn standing(
    pipeline: &Overview,
    all: &[Overview],
    next_tick: Option<Timestamp>,
) -> Vec<String> {
    let name = &pipeline.pipeline;
    if pipeline.paused {
        return vec![format!(
            "Pipeline {name} is paused: it starts no jobs. `drover resume pipeline {name}` lets it go on."
        )];
    }
    if let Some(job) = pipeline.open_jobs.first() {
        let state = super::job::state(job.state, super::Palette::plain());
        return vec![format!(
            "Pipeline {name} has a job, {}, which is {state}; what changes meanwhile is for the next one. `drover explain {}` tells more.",
            job.id, job.id
        )];
    }
    let mut sentences = vec![format!("Pipeline {name} has no job under way.")];
    sentences.extend(upstream(pipeline, all));
    if let Some(tick) = next_tick {
        sentences.push(format!("Its clock ticks next at {tick}."));
    }
    if let Some(job) = pipeline
        .last_job
        .as_ref()
        .filter(|job| job.state == JobState::Failure)
    {
        sentences.push(format!(
            "Its last job, {}, failed, and is not started again by itself: `drover retry {}` runs what failed, new data starts another job.",
            job.id, job.id
        ));
    }
    sentences.push(
        "Else it waits for its inputs to change and then to look the same for the settling time of `drover serve` (`--settle`); \
         if they have changed and nothing starts, no `drover serve` is at work on this store: start one, or ask the page of the \
         one that runs, which knows what its watch is waiting for."
            .to_owned(),
    );
    sentences
}

/// What is to be said of the pipelines that write what this one reads.
fn upstream(pipeline: &Overview, all: &[Overview]) -> Vec<String> {
    let writers = pipeline
        .inputs
        .iter()
        .filter_map(|input| input.from.as_ref());
    let found = writers.filter_map(|from| all.iter().find(|each| each.pipeline == *from));
    found.filter_map(one_upstream).collect()
}

fn one_upstream(writer: &Overview) -> Option<String> {
    let name = &writer.pipeline;
    if let Some(job) = writer.open_jobs.first() {
        return Some(format!(
            "It reads what {name} writes, whose job {} is under way: it starts when that one has succeeded.",
            job.id
        ));
    }
    if writer.paused {
        return Some(format!("It reads what {name} writes, which is paused."));
    }
    match &writer.last_job {
        None => Some(format!(
            "It reads what {name} writes, which has had no job yet."
        )),
        Some(job) if job.state == JobState::Success => None,
        Some(job) => Some(format!(
            "It reads what {name} writes, whose last job, {}, did not succeed and so published nothing{}; `drover explain {}` tells why.",
            job.id,
            job.reason
                .as_ref()
                .map(|reason| format!(" ({})", printable(reason)))
                .unwrap_or_default(),
            job.id
        )),
    }
}
