//! Sentences that explain why a registered pipeline starts no job.

use drover_shared::job::JobState;
use jiff::Timestamp;

use crate::render::terminal::text::printable;
use drover_core::triggers::PipelineOverview;

/// Explains a registered pipeline; each item is one or two sentences. `all` are the registered pipelines, `next_tick`
/// is the next tick of the pipeline's clocks.
pub fn explain_pipeline(
    pipeline: &PipelineOverview,
    all: &[PipelineOverview],
    next_tick: Option<Timestamp>,
) -> Vec<String> {
    let name = &pipeline.pipeline;
    if pipeline.paused {
        return vec![format!(
            "Pipeline {name} is paused: no jobs start. `drover resume pipeline {name}` resumes it."
        )];
    }
    if let Some(job) = pipeline.open_jobs.first() {
        let state = crate::render::jobs::detail::state(job.state, crate::render::Palette::plain());
        return vec![format!(
            "Pipeline {name} has a job, {}, which is {state}; changes in the meantime are for the next job. `drover explain {}` tells more.",
            job.id.short(),
            job.id.short()
        )];
    }
    let mut sentences = vec![format!("Pipeline {name} has no active job.")];
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
            "Its last job, {}, failed, and is not repeated automatically: `drover retry {}` runs the failed datums, new data starts another job.",
            job.id.short(), job.id.short()
        ));
    }
    sentences.push(
        "Otherwise the pipeline waits for its inputs to change and then to stay unchanged for the debounce time of `drover serve` (`--settle`); \
         if inputs have changed and nothing starts, no `drover serve` runs on this store: start one, or look at the page of the \
         running service, which knows what its watcher waits for."
            .to_owned(),
    );
    sentences
}

/// Sentences about the pipelines that write the inputs.
fn upstream(pipeline: &PipelineOverview, all: &[PipelineOverview]) -> Vec<String> {
    let writers = pipeline
        .inputs
        .iter()
        .filter_map(|input| input.from.as_ref());
    let found = writers.filter_map(|from| all.iter().find(|each| each.pipeline == *from));
    found.filter_map(one_upstream).collect()
}

fn one_upstream(writer: &PipelineOverview) -> Option<String> {
    let name = &writer.pipeline;
    if let Some(job) = writer.open_jobs.first() {
        return Some(format!(
            "It reads the output of {name}, whose job {} is active: it starts after the success of that job.",
            job.id.short()
        ));
    }
    if writer.paused {
        return Some(format!("It reads the output of {name}, which is paused."));
    }
    match &writer.last_job {
        None => Some(format!(
            "It reads the output of {name}, which has had no job yet."
        )),
        Some(job) if job.state == JobState::Success => None,
        Some(job) => Some(format!(
            "It reads the output of {name}, whose last job, {}, did not succeed and so published nothing{}; `drover explain {}` tells why.",
            job.id.short(),
            job.reason
                .as_ref()
                .map(|reason| format!(" ({})", printable(reason)))
                .unwrap_or_default(),
            job.id.short()
        )),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::id::PipelineName;
    use drover_shared::job::JobRecord;

    use super::*;
    use crate::render::testing::samples;
    use drover_core::triggers::{InputKind, InputOverview, PipelineState};

    /// A pipeline that reads `words`, which `writer` writes, and has had `last`.
    fn reader(writer: Option<&PipelineOverview>, last: Option<JobRecord>) -> PipelineOverview {
        named("count", writer.map(|writer| writer.pipeline.clone()), last)
    }

    fn named(name: &str, from: Option<PipelineName>, last: Option<JobRecord>) -> PipelineOverview {
        let moment = "2026-11-23T18:00:00Z".parse().unwrap();
        PipelineOverview {
            pipeline: name.parse().unwrap(),
            description: String::new(),
            state: PipelineState::Idle,
            why: None,
            created: moment,
            updated: moment,
            revision: 1,
            paused: false,
            inputs: vec![InputOverview {
                name: "words".to_owned(),
                repo: "words".to_owned(),
                glob: "/*".to_owned(),
                kind: InputKind::Pfs,
                from,
                schedule: None,
            }],
            outputs_to: Vec::new(),
            last_job: last,
            open_jobs: Vec::new(),
        }
    }

    /// The sentences about `pipeline` without the last one, which is constant.
    fn told(
        pipeline: &PipelineOverview,
        all: &[PipelineOverview],
        next_tick: Option<&str>,
    ) -> String {
        let next_tick = next_tick.map(|tick| tick.parse().unwrap());
        let mut sentences = explain_pipeline(pipeline, all, next_tick);
        if sentences.len() > 1 {
            let always = sentences.pop().unwrap();
            assert!(
                always.starts_with("Otherwise the pipeline waits for its inputs"),
                "{always}"
            );
        }
        sentences.join("\n")
    }

    #[test]
    fn what_is_certainly_in_the_way_is_told_alone() {
        let paused = PipelineOverview {
            paused: true,
            open_jobs: vec![samples::running()],
            ..reader(None, Some(samples::failed()))
        };
        insta::assert_snapshot!(told(&paused, &[], None), @"Pipeline count is paused: no jobs start. `drover resume pipeline count` resumes it.");
        let busy = PipelineOverview {
            paused: false,
            ..paused
        };
        let tick = Some("2026-11-23T19:00:00Z");
        insta::assert_snapshot!(told(&busy, &[], tick), @"Pipeline count has a job, zzzzzzzz, which is running; changes in the meantime are for the next job. `drover explain zzzzzzzz` tells more.");
    }

    #[test]
    fn else_everything_that_may_be_in_the_way_is_told() {
        let writer = |last| named("tokenize", None, last);
        let paused = PipelineOverview {
            paused: true,
            ..writer(Some(samples::succeeded()))
        };
        let busy = PipelineOverview {
            open_jobs: vec![samples::running()],
            ..writer(None)
        };
        let rows = [
            writer(Some(samples::succeeded())),
            writer(None),
            writer(Some(samples::failed())),
            paused,
            busy,
        ];
        let all = rows.map(|writer| {
            let pipeline = reader(Some(&writer), Some(samples::succeeded()));
            told(&pipeline, &[writer], None)
        });
        insta::assert_snapshot!(all.join("\n\n"), @r"
        Pipeline count has no active job.

        Pipeline count has no active job.
        It reads the output of tokenize, which has had no job yet.

        Pipeline count has no active job.
        It reads the output of tokenize, whose last job, zzzzzzzz, did not succeed and so published nothing (5 of 1237 datums failed: exit 1: 'row #: no such column' (4), signal 9 (1)); `drover explain zzzzzzzz` tells why.

        Pipeline count has no active job.
        It reads the output of tokenize, which is paused.

        Pipeline count has no active job.
        It reads the output of tokenize, whose job zzzzzzzz is active: it starts after the success of that job.
        ");
        let failed = reader(None, Some(samples::failed()));
        let tick = Some("2026-11-23T19:00:00Z");
        insta::assert_snapshot!(told(&failed, &[], tick), @r"
        Pipeline count has no active job.
        Its clock ticks next at 2026-11-23T19:00:00Z.
        Its last job, zzzzzzzz, failed, and is not repeated automatically: `drover retry zzzzzzzz` runs the failed datums, new data starts another job.
        ");
    }
}
