//! Why a job failed, or why it is not moving, in sentences.

use drover_shared::job::{FailureGroup, FailureGroups, JobRecord, JobState};
use drover_shared::ledger::DeadLetter;
use jiff::Timestamp;

use crate::render::jobs::cluster::{self, Cluster};
use crate::render::jobs::detail::running_time;
use crate::render::terminal::number::{count, counted};
use crate::render::terminal::text::printable;

/// What is known about a job by those who don't run it.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its record.
    pub record: &'a JobRecord,
    /// Its failures by cause.
    pub failures: &'a FailureGroups,
    /// Whether somebody asked to stop it.
    pub stop_requested: bool,
    /// Another job that holds the pipeline's lock, if there is one.
    pub waits_for: Option<&'a JobRecord>,
    /// What is known of the cluster that it is on, if it is on one and has not ended.
    pub cluster: Option<Cluster>,
    /// How many messages of its pipeline nobody understood, and the last of them.
    pub parked: (usize, Option<DeadLetter>),
    /// The present.
    pub now: Timestamp,
}

/// The explanation, a sentence or two an item.
pub fn explain(facts: &Facts<'_>) -> Vec<String> {
    let mut sentences = vec![opening(facts)];
    sentences.extend(by_state(facts));
    let pipeline = facts.record.pipeline.as_str();
    if let Some(seen) = &facts.cluster {
        sentences.extend(cluster::sentences(seen, pipeline));
    }
    let (count, last) = &facts.parked;
    sentences.extend(cluster::parked(*count, last.as_ref(), pipeline));
    sentences.extend(facts.failures.by_count().into_iter().map(cause));
    sentences.extend(way_on(facts));
    sentences
}

fn opening(facts: &Facts<'_>) -> String {
    let record = facts.record;
    let time = running_time(record, facts.now);
    match record.state {
        JobState::Starting => format!(
            "Job {} of {} has been starting for {time}.",
            record.id, record.pipeline
        ),
        JobState::Running => format!(
            "Job {} of {} has been running for {time}.",
            record.id, record.pipeline
        ),
        JobState::Publishing => {
            format!(
                "Job {} of {} has done its datums and brings the output folder up to date.",
                record.id, record.pipeline
            )
        }
        JobState::Egressing => {
            format!(
                "Job {} of {} has published its output and copies it to the egress URL.",
                record.id, record.pipeline
            )
        }
        JobState::Success => format!(
            "Job {} of {} succeeded after {time}.",
            record.id, record.pipeline
        ),
        JobState::Failure => format!(
            "Job {} of {} failed after {time}.",
            record.id, record.pipeline
        ),
        JobState::Killed => format!(
            "Job {} of {} was stopped after {time}.",
            record.id, record.pipeline
        ),
    }
}

fn by_state(facts: &Facts<'_>) -> Vec<String> {
    let datums = &facts.record.datums;
    match facts.record.state {
        // Nobody has begun yet; what is known of the cluster says why.
        JobState::Starting if facts.cluster.is_some() && facts.waits_for.is_none() => vec![],
        JobState::Starting => vec![waiting(facts)],
        JobState::Running => running(facts),
        JobState::Publishing | JobState::Egressing => vec![],
        JobState::Success if datums.total == 0 => {
            vec!["It had no datums: no file matched its globs. `drover plan SPEC` shows what they match.".to_owned()]
        }
        JobState::Success if datums.skipped == datums.total => {
            let all = counted(datums.total, "datum");
            vec![format!(
                "It had nothing to do: earlier jobs had done all {all}. `--reprocess` does everything again."
            )]
        }
        JobState::Success => vec![format!(
            "{} done now, {} skipped as done before, {} recovered by err_cmd.",
            counted(datums.processed, "datum"),
            count(datums.skipped),
            count(datums.recovered)
        )],
        JobState::Failure | JobState::Killed => facts
            .record
            .reason
            .iter()
            .map(|reason| format!("The reason: {}.", printable(reason)))
            .collect(),
    }
}

fn waiting(facts: &Facts<'_>) -> String {
    match facts.waits_for {
        Some(other) => format!(
            "It waits for job {} of the same pipeline, which is {}, for {} so far; jobs of a pipeline run one after the other.",
            other.id,
            crate::render::jobs::detail::state(other.state, crate::render::Palette::plain()),
            running_time(other, facts.now)
        ),
        None => "It lists its inputs; new files are read once, to know their content.".to_owned(),
    }
}

fn running(facts: &Facts<'_>) -> Vec<String> {
    let datums = &facts.record.datums;
    let mut sentences = Vec::new();
    if facts.stop_requested {
        sentences.push(
            "Somebody asked to stop it; it ends as soon as what runs has been ended.".to_owned(),
        );
    }
    sentences.push(format!(
        "{} of {} known so far have ended; {} left.",
        count(datums.ended()),
        counted(datums.total, "datum"),
        count(datums.outstanding())
    ));
    if datums.ended() == datums.skipped && datums.outstanding() > 0 {
        sentences.push(
            "None has been done since it began: the first ones are still running or being retried."
                .to_owned(),
        );
    }
    sentences
}

/// A group of failures, and what usually helps.
fn cause(group: &FailureGroup) -> String {
    let verb = if group.count == 1 {
        "datum failed with"
    } else {
        "datums failed with"
    };
    let advice = advice(group)
        .map(|advice| format!(" {advice}"))
        .unwrap_or_default();
    format!(
        "{} {verb} {}.{advice}",
        count(group.count),
        printable(&group.to_string())
    )
}

fn advice(group: &FailureGroup) -> Option<&'static str> {
    match group.kind.as_str() {
        "exit 126" => Some("Code 126 is how a shell says that a command is not executable."),
        "exit 127" => Some(
            "Code 127 is how a shell says that a command was not found: is it installed, and in PATH?",
        ),
        "exit 137" | "signal 9" => Some(
            "SIGKILL from outside is most often the kernel's answer to memory running out: try fewer --workers.",
        ),
        "exit 139" | "signal 11" => Some("SIGSEGV: the command itself crashed."),
        "timeout" => {
            Some("It was still running at `datum_timeout`; raise it, or make the datums smaller.")
        }
        "input" => Some(
            "Its inputs changed or vanished while the job ran; `drover run` takes them as they are now.",
        ),
        _ => None,
    }
}

/// What to do next.
fn way_on(facts: &Facts<'_>) -> Vec<String> {
    let id = facts.record.id;
    let mut sentences = Vec::new();
    if let Some(sample) = facts
        .failures
        .by_count()
        .first()
        .and_then(|group| group.samples.first())
    {
        sentences.push(format!(
            "`drover logs {id} --datum {sample}` shows what a failed one printed."
        ));
    }
    match facts.record.state {
        JobState::Failure if facts.record.datums.failed > 0 => sentences.push(format!(
            "What succeeded is kept: `drover retry {id}` runs the failed ones again, `drover run` those and what is new."
        )),
        JobState::Killed => {
            sentences.push("What succeeded is kept: the next `drover run` goes on from there.".to_owned());
        }
        _ => {}
    }
    sentences
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::Cause;

    use super::*;
    use crate::render::testing::samples;

    fn told(record: &JobRecord, failures: &FailureGroups, waits_for: Option<&JobRecord>) -> String {
        let now = "2026-11-23T18:10:00Z".parse().unwrap();
        explain(&Facts {
            record,
            failures,
            stop_requested: false,
            waits_for,
            cluster: None,
            parked: (0, None),
            now,
        })
        .join("\n")
    }

    #[test]
    fn a_failure_is_explained_by_cause_with_the_way_on() {
        let mut failures = FailureGroups::default();
        for index in 0..4 {
            failures.add(
                index,
                &Cause::Exit {
                    code: 127,
                    last_line: format!("sh: {index}: frob: not found"),
                },
            );
        }
        failures.add(
            9,
            &Cause::Signal {
                signal: 9,
                last_line: String::new(),
            },
        );
        insta::assert_snapshot!(told(&samples::failed(), &failures, None), @"
        Job 01j9zzzzzzzzzzzzzzzzzzzzzz of count failed after 1m 30s.
        The reason: 5 of 1237 datums failed: exit 1: 'row #: no such column' (4), signal 9 (1).
        4 datums failed with exit 127: 'sh: #: frob: not found'. Code 127 is how a shell says that a command was not found: is it installed, and in PATH?
        1 datum failed with signal 9. SIGKILL from outside is most often the kernel's answer to memory running out: try fewer --workers.
        `drover logs 01j9zzzzzzzzzzzzzzzzzzzzzz --datum 0` shows what a failed one printed.
        What succeeded is kept: `drover retry 01j9zzzzzzzzzzzzzzzzzzzzzz` runs the failed ones again, `drover run` those and what is new.
        ");
    }

    #[test]
    fn a_job_that_does_not_move_says_what_it_waits_for() {
        let mut starting = samples::running();
        starting.state = JobState::Starting;
        starting.started = None;
        insta::assert_snapshot!(told(&starting, &FailureGroups::default(), Some(&samples::running())), @"
        Job 01j9zzzzzzzzzzzzzzzzzzzzzz of count has been starting for 2m 00s.
        It waits for job 01j9zzzzzzzzzzzzzzzzzzzzzz of the same pipeline, which is running, for 1m 59s so far; jobs of a pipeline run one after the other.
        ");
        insta::assert_snapshot!(told(&starting, &FailureGroups::default(), None), @"
        Job 01j9zzzzzzzzzzzzzzzzzzzzzz of count has been starting for 2m 00s.
        It lists its inputs; new files are read once, to know their content.
        ");
        insta::assert_snapshot!(told(&samples::running(), &FailureGroups::default(), None), @"
        Job 01j9zzzzzzzzzzzzzzzzzzzzzz of count has been running for 1m 59s.
        1,232 of 5,000 datums known so far have ended; 3,768 left.
        ");
    }

    #[test]
    fn a_success_that_did_nothing_says_why() {
        let mut record = samples::succeeded();
        record.datums.skipped = record.datums.total;
        record.datums.processed = 0;
        record.datums.recovered = 0;
        insta::assert_snapshot!(told(&record, &FailureGroups::default(), None), @"
        Job 01j9zzzzzzzzzzzzzzzzzzzzzz of count succeeded after 1m 30s.
        It had nothing to do: earlier jobs had done all 1,232 datums. `--reprocess` does everything again.
        ");
        record.datums = drover_shared::job::Counts::default();
        insta::assert_snapshot!(told(&record, &FailureGroups::default(), None), @"
        Job 01j9zzzzzzzzzzzzzzzzzzzzzz of count succeeded after 1m 30s.
        It had no datums: no file matched its globs. `drover plan SPEC` shows what they match.
        ");
    }
}
