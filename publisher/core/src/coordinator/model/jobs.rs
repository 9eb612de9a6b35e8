//! Two leaders, two workers, two jobs of three datums, from the manifest to the final record, in a folder.
//!
//! The model has no fence: a leader goes on with old knowledge for as long as the store allows, which covers a freeze of
//! any length at any instruction. Leaders and workers crash, messages are purged. The seal of a job covers all datums.

use drover_shared::job::{JobEvent, JobState};

use super::explore::{Machine, explore};
use crate::coordinator::StopRequest;
use crate::coordinator::track::decide::{Expansion, WorkState, decide};

const DATUMS: u8 = 3;
const ALL: u8 = (1 << DATUMS) - 1;
const JOBS: usize = 2;

/// A guard of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Guard {
    /// The key of a segment is its first index alone, and created if absent.
    ManifestKey,
    /// The first verdict of a datum counts.
    FirstVerdict,
    /// After its commit, a worker looks whether the segment was sealed meanwhile.
    LookAtSeal,
    /// The worker looks by the key of the seal; a listing may lag behind.
    SealKey,
    /// The seal is written before the single verdicts are removed.
    SealFirst,
    /// The output folder has one writer at a time.
    OutputLock,
    /// A publication looks whether its job has ended, after the claim.
    PublicationClaim,
    /// Lost messages are published again.
    PublishAgain,
}

/// A job in the store.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, of which every combination is a state"
)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct StoredJob {
    /// Number of datums in the manifest, a log whose next key is this number.
    known: u8,
    is_complete: bool,
    /// Two segments hold the same datum.
    overlaps: bool,
    /// Single verdicts: one bit for each datum.
    singles: u8,
    /// The seal, with all verdicts, exists.
    is_sealed: bool,
    /// A verdict was replaced.
    has_second_verdict: bool,
    /// Verdicts were removed that no seal has.
    has_forgotten: bool,
    has_ended: bool,
}

impl StoredJob {
    /// The datums with a verdict.
    fn verdicts(self) -> u8 {
        if self.is_sealed { ALL } else { self.singles }
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Step {
    /// Not leading.
    #[default]
    Out,
    /// About to empty the queue.
    Purge,
    /// Expanding and waiting for verdicts.
    Work,
    /// About to write the seal.
    Seal,
    /// About to remove the single verdicts.
    Sweep,
    /// About to take the lock on the output folder.
    Lock,
    /// About to claim a publication.
    Claim,
    /// About to write the output folder.
    Write,
    /// About to save the final record.
    Close,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Leader {
    step: Step,
    job: usize,
    /// Datums of the manifest known to the leader.
    known: u8,
    /// True once the known datums were published.
    has_published: bool,
    /// No later leader has begun.
    is_latest: bool,
    has_lock: bool,
}

/// The datum in the hands of a worker.
type Worker = Option<(usize, u8)>;

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct State {
    jobs: [StoredJob; JOBS],
    /// Ready messages: one bit for each datum of a job.
    ready: [u8; JOBS],
    workers: [Worker; 2],
    leaders: [Leader; 2],
    /// Number of the job whose content the output folder has; 0 at the beginning.
    folder: usize,
}

impl State {
    /// A state with the same future: leaders and workers are interchangeable, workers drop the datums of an ended job, and
    /// a leader forgets details without use in its next steps.
    fn canonical(mut self) -> Self {
        for job in (0..JOBS).filter(|job| self.jobs[*job].has_ended) {
            self.ready[job] = 0;
            for worker in &mut self.workers {
                worker.take_if(|(held, _)| *held == job);
            }
        }
        for job in self.jobs.iter_mut().filter(|job| job.is_sealed) {
            job.singles = 0;
        }
        for leader in &mut self.leaders {
            if leader.step != Step::Work {
                leader.known = 0;
                leader.has_published = false;
            }
        }
        self.workers.sort_unstable();
        self.leaders.sort_unstable();
        self
    }

    fn is_held(&self, job: usize, datum: u8) -> bool {
        self.workers.contains(&Some((job, datum)))
    }
}

/// The protocol, without a guard if one is taken out.
#[derive(Clone, Copy)]
struct Protocol {
    without: Option<Guard>,
}

/// A next state, and whether it is calm.
type Next = (State, bool);

impl Protocol {
    fn has(self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    fn may_miss_seal(self) -> bool {
        !self.has(Guard::LookAtSeal) || !self.has(Guard::SealKey)
    }

    fn work(self, state: &State, worker: usize, next: &mut Vec<Next>) {
        let Some((job, datum)) = state.workers[worker] else {
            for job in 0..JOBS {
                for datum in bits(state.ready[job]) {
                    let mut taken = *state;
                    taken.ready[job] &= !(1 << datum);
                    taken.workers[worker] = Some((job, datum));
                    next.push((taken, true));
                }
            }
            return;
        };
        let mut crashed = *state;
        crashed.workers[worker] = None;
        crashed.ready[job] |= 1 << datum;
        next.push((crashed, false));
        let looks = [true, false].into_iter().filter(|sees_seal| {
            *sees_seal && self.has(Guard::LookAtSeal) || !sees_seal && self.may_miss_seal()
        });
        for sees_seal in looks {
            let mut committed = *state;
            committed.workers[worker] = None;
            let stored = &mut committed.jobs[job];
            // A seal between the commit and the look at the seal has the verdict, so both are one step.
            stored.has_second_verdict |= if stored.is_sealed {
                !sees_seal
            } else {
                let is_taken = stored.singles & (1 << datum) != 0;
                stored.singles |= 1 << datum;
                is_taken && !self.has(Guard::FirstVerdict)
            };
            next.push((committed, true));
        }
    }

    fn lead(self, state: &State, me: usize, next: &mut Vec<Next>) {
        let leader = state.leaders[me];
        let with = |change: &dyn Fn(&mut State, &mut Leader)| {
            let (mut state, mut leader) = (*state, leader);
            change(&mut state, &mut leader);
            state.leaders[me] = leader;
            state
        };
        let out = |_: &mut State, leader: &mut Leader| *leader = Leader::default();
        if leader.step != Step::Out {
            // A crash, or a look at the epoch if a later leader has begun.
            next.push((with(&out), !leader.is_latest));
        }
        let job = leader.job;
        match leader.step {
            Step::Out => {
                let Some(open) = state.jobs.iter().position(|job| !job.has_ended) else {
                    return;
                };
                let is_alone = state.leaders[1 - me].step == Step::Out;
                let begun = with(&|state, leader| {
                    state.leaders[1 - me].is_latest = false;
                    leader.step = Step::Purge;
                    leader.job = open;
                    leader.is_latest = true;
                });
                next.push((begun, is_alone));
            }
            Step::Purge => next.push((
                with(&|state, leader| {
                    state.ready = [0; JOBS];
                    leader.step = Step::Work;
                    leader.known = state.jobs[job].known;
                }),
                true,
            )),
            Step::Work => self.expand_and_publish(state, me, next),
            Step::Seal | Step::Sweep => next.push((
                with(&|state, leader| {
                    let stored = &mut state.jobs[job];
                    if (leader.step == Step::Seal) == self.has(Guard::SealFirst) {
                        stored.is_sealed = true;
                    } else {
                        stored.has_forgotten |= !stored.is_sealed;
                        stored.singles = 0;
                    }
                    leader.step = if leader.step == Step::Seal {
                        Step::Sweep
                    } else {
                        Step::Lock
                    };
                }),
                true,
            )),
            Step::Lock => {
                let is_free = state.leaders.iter().all(|leader| !leader.has_lock);
                if is_free || !self.has(Guard::OutputLock) {
                    let locked = with(&|_, leader| {
                        leader.has_lock = true;
                        leader.step = Step::Claim;
                    });
                    next.push((locked, true));
                }
            }
            Step::Claim => {
                let may_write = !state.jobs[job].has_ended || !self.has(Guard::PublicationClaim);
                let claimed = with(&|state, leader| {
                    if may_write {
                        leader.step = Step::Write;
                    } else {
                        out(state, leader);
                    }
                });
                next.push((claimed, true));
            }
            Step::Write => next.push((
                with(&|state, leader| {
                    state.folder = job + 1;
                    leader.step = Step::Close;
                    leader.has_lock = false;
                }),
                true,
            )),
            Step::Close => next.push((
                with(&|state, leader| {
                    state.jobs[job].has_ended = true;
                    out(state, leader);
                }),
                true,
            )),
        }
    }

    fn expand_and_publish(self, state: &State, me: usize, next: &mut Vec<Next>) {
        let leader = state.leaders[me];
        let (job, stored) = (leader.job, state.jobs[leader.job]);
        let mut with = |changed: State| next.push((changed, true));
        for count in 1..=DATUMS - leader.known {
            let mut changed = *state;
            let is_free = leader.known == stored.known;
            if is_free || !self.has(Guard::ManifestKey) {
                let end = leader.known + count;
                changed.jobs[job].overlaps |= !is_free;
                changed.jobs[job].known = end.max(stored.known);
                changed.leaders[me].known = end;
                changed.leaders[me].has_published = false;
            } else {
                // A different leader has written the next segment.
                changed.leaders[me] = Leader::default();
            }
            with(changed);
        }
        if leader.known == DATUMS && !stored.is_complete {
            let mut changed = *state;
            changed.jobs[job].is_complete = true;
            with(changed);
        }
        let outstanding = !stored.verdicts() & ((1 << leader.known) - 1) & !state.ready[job];
        let held = bits(outstanding).filter(|datum| state.is_held(job, *datum));
        let lost = held.fold(outstanding, |lost, datum| lost & !(1 << datum));
        let may_repeat = self.has(Guard::PublishAgain) && lost != 0;
        if !leader.has_published || may_repeat {
            let mut changed = *state;
            // A first publication may precede the answer of a worker with a datum in hand.
            changed.ready[job] |= if leader.has_published {
                lost
            } else {
                outstanding
            };
            changed.leaders[me].has_published = true;
            with(changed);
        }
        let work = WorkState {
            known: leader.known.into(),
            expansion: if stored.is_complete && leader.known == DATUMS {
                Expansion::Complete
            } else {
                Expansion::Underway
            },
            outstanding: u64::from((!stored.verdicts() & ALL).count_ones()),
            failed: 0,
            is_first: false,
            early_end: None,
        };
        if decide(JobState::Running, &StopRequest::Run, &work) == Some(JobEvent::Completed) {
            let mut changed = *state;
            changed.leaders[me].step = Step::Seal;
            with(changed);
        }
    }
}

fn bits(set: u8) -> impl Iterator<Item = u8> {
    (0..DATUMS).filter(move |bit| set & (1 << bit) != 0)
}

impl Machine for Protocol {
    type State = State;

    fn next(&self, state: &State) -> Vec<Next> {
        let mut next = Vec::new();
        for leader in 0..state.leaders.len() {
            self.lead(state, leader, &mut next);
        }
        for worker in 0..state.workers.len() {
            self.work(state, worker, &mut next);
        }
        next.into_iter()
            .map(|(state, is_calm)| (state.canonical(), is_calm))
            .collect()
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        let newest_ended = state.jobs.iter().rposition(|job| job.has_ended);
        let newest = newest_ended.map_or(0, |job| job + 1);
        if state.jobs.iter().any(|job| job.overlaps) {
            Some("the manifest is one sequence")
        } else if state.jobs.iter().any(|job| job.has_second_verdict) {
            Some("a datum has one verdict")
        } else if state.jobs.iter().any(|job| job.has_forgotten) {
            Some("work that succeeded is not forgotten")
        } else if state.folder < newest {
            Some("an older job never overwrites a newer one")
        } else {
            None
        }
    }

    fn is_done(&self, state: &State) -> bool {
        state.jobs.iter().all(|job| job.has_ended)
    }
}

#[test]
fn whatever_leaders_and_workers_do_the_promises_hold_in_every_state() {
    let states = explore(&Protocol { without: None });
    assert!(states.is_ok_and(|states| states > 10_000), "{states:?}");
}

#[test]
fn without_any_of_its_guards_the_protocol_breaks_a_promise() {
    let guards = [
        (Guard::ManifestKey, "the manifest is one sequence"),
        (Guard::FirstVerdict, "a datum has one verdict"),
        (Guard::LookAtSeal, "a datum has one verdict"),
        (Guard::SealKey, "a datum has one verdict"),
        (Guard::SealFirst, "work that succeeded is not forgotten"),
        (
            Guard::OutputLock,
            "an older job never overwrites a newer one",
        ),
        (
            Guard::PublicationClaim,
            "an older job never overwrites a newer one",
        ),
        (Guard::PublishAgain, "no job stands for ever"),
    ];
    for (guard, promise) in guards {
        let without = Some(guard);
        assert_eq!(explore(&Protocol { without }), Err(promise), "{guard:?}");
    }
}
