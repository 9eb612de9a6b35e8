//! Sentences that explain why a job failed or makes no progress.

use std::collections::BTreeSet;

use drover_shared::job::{FailureGroup, FailureGroups, JobRecord, JobState};
use drover_shared::ledger::{DeadLetter, SharedLimit};
use drover_shared::pipeline::Limit;
use jiff::Timestamp;

use crate::render::jobs::advice::advice;
use crate::render::jobs::cluster::{self, ClusterView};
use crate::render::jobs::detail::running_time;
use crate::render::store::limits::waiting_for;
use crate::render::terminal::number::{count, counted, seconds};
use crate::render::terminal::text::printable;

/// A job with all facts from outside its coordinator.
#[derive(Clone, Debug)]
pub struct ExplainedJob<'a> {
    /// Record of the job.
    pub record: &'a JobRecord,
    /// Failures by cause.
    pub failures: &'a FailureGroups,
    /// True if a stop was requested.
    pub stop_requested: bool,
    /// The other job that holds the pipeline's lock.
    pub blocked_by: Option<&'a JobRecord>,
    /// State of the cluster, for active jobs on the broker.
    pub cluster: Option<ClusterView>,
    /// Why an active job's store cannot be written from here.
    pub store_problem: Option<String>,
    /// Number of the pipeline's dead letters, and the newest one.
    pub parked: (usize, Option<DeadLetter>),
    /// The limits of the pipeline; a defined shared limit comes with its record.
    pub limits: &'a [(Limit, Option<SharedLimit>)],
    /// How commands were confined, on different workers.
    pub protections: &'a BTreeSet<String>,
    /// The current time.
    pub now: Timestamp,
}

/// The explanation; each item is one or two sentences.
pub fn explain(facts: &ExplainedJob<'_>) -> Vec<String> {
    let mut sentences = vec![opening(facts)];
    sentences.extend(by_state(facts));
    let pipeline = facts.record.pipeline.as_str();
    sentences.extend(
        facts
            .store_problem
            .iter()
            .map(|problem| unwritable(problem)),
    );
    if let Some(seen) = &facts.cluster {
        let is_writable = facts.store_problem.is_none();
        sentences.extend(cluster::sentences(seen, is_writable, pipeline));
    }
    let (count, last) = &facts.parked;
    sentences.extend(cluster::parked(*count, last.as_ref(), pipeline));
    sentences.extend(facts.failures.by_count().into_iter().map(cause));
    sentences.extend(wasted(facts.record));
    let protections = facts.protections.iter();
    sentences.extend(protections.map(|protection| {
        let protection = printable(protection);
        format!("Its commands run with this protection: {protection}.")
    }));
    sentences.extend(next_steps(facts));
    sentences
}

/// The time lost with leaving workers.
fn wasted(record: &JobRecord) -> Option<String> {
    let wasted = record.stats.wasted_time_s;
    let share = 100.0 * wasted / (wasted + record.stats.process_time_s);
    (wasted > 0.0).then(|| {
        format!(
            "Workers had to leave before their datums had ended: {} of commands ({share:.1} %) were run again, which costs no datum an attempt.",
            seconds(wasted)
        )
    })
}

fn opening(facts: &ExplainedJob<'_>) -> String {
    let record = facts.record;
    let time = running_time(record, facts.now);
    match record.state {
        JobState::Starting => format!(
            "Job {} of {} has been starting for {time}.",
            record.id.short(),
            record.pipeline
        ),
        JobState::Running => format!(
            "Job {} of {} has been running for {time}.",
            record.id.short(),
            record.pipeline
        ),
        JobState::Publishing => {
            format!(
                "Job {} of {} has finished its datums and updates the output folder.",
                record.id.short(),
                record.pipeline
            )
        }
        JobState::Egressing => {
            format!(
                "Job {} of {} has published its output and copies it to the egress URL.",
                record.id.short(),
                record.pipeline
            )
        }
        JobState::Success => format!(
            "Job {} of {} succeeded after {time}.",
            record.id.short(),
            record.pipeline
        ),
        JobState::Failure => format!(
            "Job {} of {} failed after {time}.",
            record.id.short(),
            record.pipeline
        ),
        JobState::Killed => format!(
            "Job {} of {} was stopped after {time}.",
            record.id.short(),
            record.pipeline
        ),
    }
}

fn waiting_for_limits(facts: &ExplainedJob<'_>) -> Vec<String> {
    let record = facts.record;
    let outstanding = record.datums.outstanding();
    let limits = facts.limits.iter();
    let waits = limits.filter_map(|(limit, shared)| {
        waiting_for(limit, shared.as_ref(), &record.pipeline, outstanding)
    });
    waits.collect()
}

fn by_state(facts: &ExplainedJob<'_>) -> Vec<String> {
    let datums = &facts.record.datums;
    match facts.record.state {
        // The sentences about the cluster give the reason.
        JobState::Starting if facts.cluster.is_some() && facts.blocked_by.is_none() => vec![],
        JobState::Starting => vec![waiting(facts)],
        JobState::Running => [running(facts), waiting_for_limits(facts)].concat(),
        JobState::Publishing | JobState::Egressing => vec![],
        JobState::Success if datums.total == 0 => {
            vec!["It had no datums: no file matched its globs. `drover plan SPEC` shows what they match.".to_owned()]
        }
        JobState::Success if datums.skipped == datums.total => {
            let all = counted(datums.total, "datum");
            vec![format!(
                "There was nothing to do: earlier jobs had finished all {all}. `--reprocess` repeats everything."
            )]
        }
        JobState::Success => vec![format!(
            "{} processed, {} skipped as done by earlier jobs, {} recovered by err_cmd.",
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

fn waiting(facts: &ExplainedJob<'_>) -> String {
    match facts.blocked_by {
        Some(other) => format!(
            "It waits for job {} of the same pipeline, which has been {} for {}; jobs of a pipeline run one after the other.",
            other.id.short(),
            crate::render::jobs::detail::state(other.state, crate::render::Palette::plain()),
            running_time(other, facts.now)
        ),
        None => "It lists its inputs; new files are read once to compute their hashes.".to_owned(),
    }
}

fn running(facts: &ExplainedJob<'_>) -> Vec<String> {
    let datums = &facts.record.datums;
    let mut sentences = Vec::new();
    if facts.stop_requested {
        sentences.push(
            "A stop was requested; the job ends as soon as its running commands have been ended."
                .to_owned(),
        );
    }
    sentences.push(format!(
        "{} of {} known so far have ended; {} remain.",
        count(datums.ended()),
        counted(datums.total, "datum"),
        count(datums.outstanding())
    ));
    if datums.ended() == datums.skipped && datums.outstanding() > 0 {
        sentences.push(
            "None has ended since the job began: the first datums are still running or being retried."
                .to_owned(),
        );
    }
    sentences
}

fn unwritable(problem: &str) -> String {
    format!(
        "This command cannot write to the store: {}. Processes that cannot write either try again and again, and the job continues \
         once they can.",
        printable(problem)
    )
}

/// A group of failures with advice.
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

/// Next steps.
fn next_steps(facts: &ExplainedJob<'_>) -> Vec<String> {
    let id = facts.record.id.short();
    let mut sentences = Vec::new();
    if let Some(sample) = facts
        .failures
        .by_count()
        .first()
        .and_then(|group| group.samples.first())
    {
        sentences.push(format!(
            "`drover logs {id} --datum {sample}` shows the output of a failed datum."
        ));
    }
    match facts.record.state {
        JobState::Failure if facts.record.datums.failed > 0 => sentences.push(format!(
            "Nothing was published, but successful datums are kept: `drover retry {id}` runs the failed ones again, `drover run` also \
             new and changed ones, and with `--on-error true` the output is published without the failed ones."
        )),
        JobState::Killed => {
            sentences.push("Finished datums are kept: the next `drover run` continues from there.".to_owned());
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

    fn told(
        record: &JobRecord,
        failures: &FailureGroups,
        blocked_by: Option<&JobRecord>,
    ) -> String {
        let now = "2026-11-23T18:10:00Z".parse().unwrap();
        explain(&ExplainedJob {
            record,
            failures,
            stop_requested: false,
            blocked_by,
            cluster: None,
            store_problem: None,
            parked: (0, None),
            limits: &[],
            protections: &BTreeSet::new(),
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
        insta::assert_snapshot!(told(&samples::failed(), &failures, None), @r"
        Job zzzzzzzz of count failed after 1m 30s.
        The reason: 5 of 1237 datums failed: exit 1: 'row #: no such column' (4), signal 9 (1).
        4 datums failed with exit 127: 'sh: 0: frob: not found'. Code 127 means that the shell did not find the command: is it installed, and in PATH?
        1 datum failed with signal 9. A SIGKILL from outside usually means that memory ran out: try fewer --workers.
        `drover logs zzzzzzzz --datum 0` shows the output of a failed datum.
        Nothing was published, but successful datums are kept: `drover retry zzzzzzzz` runs the failed ones again, `drover run` also new and changed ones, and with `--on-error true` the output is published without the failed ones.
        ");
    }

    #[test]
    fn time_that_was_lost_with_workers_is_told() {
        let mut record = samples::running();
        record.stats.wasted_time_s = 12.3;
        let told = told(&record, &FailureGroups::default(), None);
        assert!(told.contains("\nWorkers had to leave before their datums had ended: 12.3s of commands (4.8 %) were run again"), "{told}");
    }

    #[test]
    fn every_protection_that_is_in_force_on_a_worker_is_told() {
        let record = samples::running();
        let (failures, protections) = (
            FailureGroups::default(),
            BTreeSet::from(["sandbox: links".to_owned(), "sandbox: none\n".to_owned()]),
        );
        let sentences = explain(&ExplainedJob {
            record: &record,
            failures: &failures,
            stop_requested: false,
            blocked_by: None,
            cluster: None,
            store_problem: None,
            parked: (0, None),
            limits: &[],
            protections: &protections,
            now: Timestamp::now(),
        });
        insta::assert_snapshot!(sentences[2..].join("\n"), @r"
        Its commands run with this protection: sandbox: links.
        Its commands run with this protection: sandbox: none\n.
        ");
    }

    #[test]
    fn a_job_that_does_not_move_says_what_it_waits_for() {
        let mut starting = samples::running();
        starting.state = JobState::Starting;
        starting.started = None;
        insta::assert_snapshot!(told(&starting, &FailureGroups::default(), Some(&samples::running())), @r"
        Job zzzzzzzz of count has been starting for 2m 00s.
        It waits for job zzzzzzzz of the same pipeline, which has been running for 1m 59s; jobs of a pipeline run one after the other.
        ");
        insta::assert_snapshot!(told(&starting, &FailureGroups::default(), None), @"
        Job zzzzzzzz of count has been starting for 2m 00s.
        It lists its inputs; new files are read once to compute their hashes.
        ");
        insta::assert_snapshot!(told(&samples::running(), &FailureGroups::default(), None), @r"
        Job zzzzzzzz of count has been running for 1m 59s.
        1,232 of 5,000 datums known so far have ended; 3,768 remain.
        ");
    }

    #[test]
    fn a_success_that_did_nothing_says_why() {
        let mut record = samples::succeeded();
        record.datums.skipped = record.datums.total;
        record.datums.processed = 0;
        record.datums.recovered = 0;
        insta::assert_snapshot!(told(&record, &FailureGroups::default(), None), @r"
        Job zzzzzzzz of count succeeded after 1m 30s.
        There was nothing to do: earlier jobs had finished all 1,232 datums. `--reprocess` repeats everything.
        ");
        record.datums = drover_shared::job::Counts::default();
        insta::assert_snapshot!(told(&record, &FailureGroups::default(), None), @"
        Job zzzzzzzz of count succeeded after 1m 30s.
        It had no datums: no file matched its globs. `drover plan SPEC` shows what they match.
        ");
    }
}
