//! The result of `drover gc`.

use drover_core::retention::{FileKind, PipelineCollection, PipelineState, Removed, Space};
use serde_json::{Value, json};

use crate::render::terminal::number::{bytes, count, counted};

/// A line for each pipeline.
pub fn collections(collected: &[PipelineCollection], dry_run: bool) -> Vec<String> {
    let line = |found: &PipelineCollection| match &found.state {
        PipelineState::Busy => format!(
            "{}: left out, as a job is active; its leader removes what is old when the job ends",
            found.pipeline
        ),
        PipelineState::Collected(removed) => {
            format!("{}: {}", found.pipeline, told(removed, dry_run))
        }
    };
    collected.iter().map(line).collect()
}

fn told(removed: &Removed, dry_run: bool) -> String {
    let total = total(removed);
    if *removed
        == (Removed {
            kept_jobs: removed.kept_jobs,
            ..Removed::default()
        })
    {
        return format!(
            "nothing to remove, {} kept",
            counted(removed.kept_jobs, "finished job")
        );
    }
    let verb = if dry_run {
        "would be removed"
    } else {
        "removed"
    };
    let outputs = removed
        .space
        .get(&FileKind::Outputs)
        .map_or(0, |space| space.files);
    format!(
        "{} {verb}, {} kept; {} in {}, of these {} of superseded work",
        counted(removed.jobs, "job"),
        count(removed.kept_jobs),
        bytes(total.bytes),
        counted(total.files, "file"),
        counted(outputs, "output"),
    )
}

/// The JSON of a pipeline.
pub fn collection_json(found: &PipelineCollection, dry_run: bool) -> Value {
    match &found.state {
        PipelineState::Busy => json!({ "pipeline": found.pipeline, "state": "busy" }),
        PipelineState::Collected(removed) => {
            let Space { files, bytes } = total(removed);
            json!({
                "pipeline": found.pipeline,
                "state": if dry_run { "dry_run" } else { "done" },
                "jobs": removed.jobs,
                "kept_jobs": removed.kept_jobs,
                "work": removed.work,
                "files": files,
                "bytes": bytes,
                "kinds": removed.space,
            })
        }
    }
}

fn total(removed: &Removed) -> Space {
    let mut total = Space::default();
    for space in removed.space.values() {
        total += *space;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pipeline_has_a_sentence() {
        let removed = Removed {
            jobs: 70,
            kept_jobs: 50,
            work: 3,
            space: [
                (
                    FileKind::Outputs,
                    Space {
                        files: 3,
                        bytes: 1_200_000,
                    },
                ),
                (
                    FileKind::Logs,
                    Space {
                        files: 80,
                        bytes: 300_000,
                    },
                ),
            ]
            .into(),
        };
        let found = |name: &str, state| PipelineCollection {
            pipeline: name.parse().unwrap(),
            state,
        };
        let all = [
            found("thumbs", PipelineState::Collected(removed)),
            found(
                "words",
                PipelineState::Collected(Removed {
                    kept_jobs: 1,
                    ..Removed::default()
                }),
            ),
            found("busy", PipelineState::Busy),
        ];
        insta::assert_snapshot!(collections(&all, false).join("\n"), @r"
        thumbs: 70 jobs removed, 50 kept; 1.50 MB in 83 files, of these 3 outputs of superseded work
        words: nothing to remove, 1 finished job kept
        busy: left out, as a job is active; its leader removes what is old when the job ends
        ");
        insta::assert_snapshot!(collection_json(&all[0], true), @r#"{"bytes":1500000,"files":83,"jobs":70,"kept_jobs":50,"kinds":{"logs":{"bytes":300000,"files":80},"outputs":{"bytes":1200000,"files":3}},"pipeline":"thumbs","state":"dry_run","work":3}"#);
    }
}
