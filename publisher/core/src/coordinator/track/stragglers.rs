//! Pure: the running datums that take far longer than predicted, and of which a second copy is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use drover_shared::datum::IndexRanges;
use drover_shared::id::WorkerId;
use drover_shared::prediction::Durations;
use drover_shared::wire::{Event, Report};
use tokio::time::Instant;

/// A straggler runs for more than the predicted time multiplied by the factor.
const FACTOR: f64 = 3.0;

/// The shortest run of a straggler: a copy of a shorter run saves little.
const LEAST: Duration = Duration::from_secs(1);

/// The running datums of a job.
#[derive(Debug, Default)]
pub(crate) struct Stragglers {
    running: BTreeMap<u64, Run>,
}

/// The runs of a datum.
#[derive(Debug)]
struct Run {
    /// Begin of the first run, as far as the current leader knows.
    since: Instant,
    attempt: u32,
    input_bytes: u64,
    /// Workers that run the datum.
    workers: BTreeSet<WorkerId>,
    is_copied: bool,
}

impl Stragglers {
    /// Takes a report of a running attempt into account.
    pub(crate) fn note_running(&mut self, report: &Report, now: Instant) {
        let Event::Running {
            index,
            attempt,
            worker,
            input_bytes: Some(input_bytes),
            ..
        } = &report.event
        else {
            return;
        };
        let begun = Run {
            since: now,
            attempt: *attempt,
            input_bytes: *input_bytes,
            workers: BTreeSet::new(),
            is_copied: false,
        };
        let run = self.running.entry(*index).or_insert(begun);
        // The claim of an earlier worker is lost, and its run is over.
        let is_redelivered = report.redeliveries > 0 && !run.workers.contains(worker);
        if is_redelivered {
            run.workers.clear();
        }
        if is_redelivered || *attempt > run.attempt {
            (run.since, run.attempt) = (now, *attempt);
        }
        run.workers.insert(worker.clone());
    }

    /// Notes a failed attempt: the pause before the next one is no part of a run.
    pub(crate) fn note_retrying(&mut self, index: u64, now: Instant) {
        if let Some(run) = self.running.get_mut(&index) {
            run.since = now;
        }
    }

    /// Forgets a datum with a verdict. True if another copy may still run.
    pub(crate) fn note_ended(&mut self, index: u64) -> bool {
        let run = self.running.remove(&index);
        run.is_some_and(|run| run.is_copied || run.workers.len() > 1)
    }

    /// The stragglers without a copy, which count as copied from now on.
    pub(crate) fn take_due(&mut self, durations: &Durations, now: Instant) -> IndexRanges {
        let mut due = IndexRanges::default();
        for (index, run) in &mut self.running {
            if run.is_due(durations, now) {
                run.is_copied = true;
                due.insert(*index..index.saturating_add(1));
            }
        }
        due
    }

    /// True if a datum runs for so long that the prediction matters.
    pub(crate) fn has_long_run(&self, now: Instant) -> bool {
        let mut running = self.running.values();
        running.any(|run| !run.is_copied && now.duration_since(run.since) >= LEAST)
    }
}

impl Run {
    fn is_due(&self, durations: &Durations, now: Instant) -> bool {
        let ran = now.duration_since(self.since);
        let predicted = durations.seconds(self.input_bytes);
        !self.is_copied
            && self.workers.len() == 1
            && ran >= LEAST
            && predicted.is_some_and(|predicted| ran.as_secs_f64() > predicted * FACTOR)
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::VerdictState;
    use drover_shared::id::JobId;
    use drover_shared::prediction::UsageModel;
    use drover_shared::testing::samples::usage;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::samples::verdict;

    /// An event in the eyes of the leader.
    enum Seen {
        /// A worker begins an attempt.
        Runs(&'static str, u32),
        /// The same, after the first claim was lost.
        RunsAgain(&'static str, u32),
        /// An attempt failed.
        Retries,
    }
    use Seen::{Retries, Runs, RunsAgain};

    /// Name, events with their seconds, durations, the second of the look, and whether a copy is due.
    type Row<'a> = (&'a str, &'a [(u64, Seen)], &'a Durations, u64, bool);

    /// Durations of which half are as long as `seconds`.
    fn typical(seconds: f64) -> Durations {
        let mut model = UsageModel::default();
        for index in 0..5 {
            let mut ended = verdict(index, VerdictState::Success, &[]);
            ended.stats.process_time_s = seconds;
            ended.usage = Some(usage(0));
            model.learn(&ended);
        }
        model.durations()
    }

    fn running(worker: &str, attempt: u32, redeliveries: u32) -> Report {
        Report {
            job: JobId::generate(),
            redeliveries,
            event: Event::Running {
                index: 7,
                attempt,
                worker: worker.parse().unwrap(),
                since: Timestamp::UNIX_EPOCH,
                input_bytes: Some(9),
            },
        }
    }

    fn note(stragglers: &mut Stragglers, seen: &Seen, now: Instant) {
        match seen {
            Runs(worker, attempt) => stragglers.note_running(&running(worker, *attempt, 0), now),
            RunsAgain(worker, attempt) => {
                stragglers.note_running(&running(worker, *attempt, 1), now);
            }
            Retries => stragglers.note_retrying(7, now),
        }
    }

    #[test]
    fn a_copy_is_due_once_a_run_takes_three_times_the_prediction() {
        let ten = typical(10.0);
        let nothing = Durations::default();
        let short = typical(0.1);
        #[rustfmt::skip]
        let rows: [Row<'_>; 11] = [
            ("as predicted",                 &[(0, Runs("a-1", 1))], &ten, 10, false),
            ("three times",                  &[(0, Runs("a-1", 1))], &ten, 29, false),
            ("more",                         &[(0, Runs("a-1", 1))], &ten, 33, true),
            ("nothing is known",             &[(0, Runs("a-1", 1))], &nothing, 999, false),
            ("too short for a copy",         &[(0, Runs("a-1", 1))], &short, 0, false),
            ("short, but long enough",       &[(0, Runs("a-1", 1))], &short, 1, true),
            ("a new attempt",                &[(0, Runs("a-1", 1)), (20, Retries), (21, Runs("a-1", 2))], &ten, 40, false),
            ("the same, told again",         &[(0, Runs("a-1", 1)), (20, Runs("a-1", 1))], &ten, 33, true),
            ("taken over from a dead worker", &[(0, Runs("a-1", 1)), (20, RunsAgain("b-1", 1))], &ten, 33, false),
            ("and slow there",               &[(0, Runs("a-1", 1)), (20, RunsAgain("b-1", 1))], &ten, 53, true),
            ("copied by an earlier leader",  &[(0, Runs("a-1", 1)), (1, Runs("b-1", 1))], &ten, 99, false),
        ];
        for (name, seen, durations, at, expected) in rows {
            let begun = Instant::now();
            let mut stragglers = Stragglers::default();
            for (second, seen) in seen {
                note(&mut stragglers, seen, begun + Duration::from_secs(*second));
            }
            let now = begun + Duration::from_secs(at);
            let due = stragglers.take_due(durations, now);
            assert_eq!(due.contains(7), expected, "{name}");
            assert!(stragglers.take_due(durations, now).is_empty(), "{name}");
        }
    }

    #[test]
    fn the_end_of_a_datum_with_several_runs_is_told() {
        let rows: [(&str, &[Seen], bool); 4] = [
            ("one run", &[Runs("a-1", 1)], false),
            ("two attempts", &[Runs("a-1", 1), Runs("a-1", 2)], false),
            ("two workers", &[Runs("a-1", 1), Runs("b-1", 1)], true),
            ("no run that was told", &[], false),
        ];
        let now = Instant::now();
        for (name, seen, expected) in rows {
            let mut stragglers = Stragglers::default();
            for seen in seen {
                note(&mut stragglers, seen, now);
            }
            assert_eq!(stragglers.note_ended(7), expected, "{name}");
            assert!(!stragglers.note_ended(7), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_datum_is_copied_twice_or_early(
            events in proptest::collection::vec((0..40_u64, 1..4_u32, 0..2_u32, 0..3_usize), 1..30),
        ) {
            let ten = typical(10.0);
            let begun = Instant::now();
            let mut stragglers = Stragglers::default();
            let (mut at, mut copies) = (0, 0);
            for (pause, attempt, redeliveries, worker) in events {
                at += pause;
                let now = begun + Duration::from_secs(at);
                let is_copied = stragglers.take_due(&ten, now).contains(7);
                prop_assert!(!is_copied || at > 29);
                copies += u32::from(is_copied);
                let worker = ["a-1", "b-1", "c-1"][worker];
                stragglers.note_running(&running(worker, attempt, redeliveries), now);
            }
            prop_assert!(copies <= 1);
        }
    }
}
