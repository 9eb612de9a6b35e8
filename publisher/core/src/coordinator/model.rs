//! A model of the protocol of leaders, checked in all its states: two leaders, two workers, two jobs of three datums.
//!
//! The model has no fence: a leader goes on with old knowledge for as long as the store lets it, which covers a freeze of
//! any length at any instruction. Leaders and workers crash, messages are purged. Each guard of the store can be taken
//! out, and then a promise must break.

use std::collections::HashMap;
use std::hash::Hash;

use drover_shared::job::{JobEvent, JobState};

use super::StopRequest;
use super::track::decide::{Expansion, WorkState, decide};

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
    /// One bit for each datum.
    verdicts: u8,
    /// A verdict was replaced.
    has_second_verdict: bool,
    has_ended: bool,
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

    fn is_done(&self) -> bool {
        self.jobs.iter().all(|job| job.has_ended)
    }

    fn is_held(&self, job: usize, datum: u8) -> bool {
        self.workers.contains(&Some((job, datum)))
    }

    /// The broken promise, if any.
    fn broken(&self) -> Option<&'static str> {
        let newest_ended = self.jobs.iter().rposition(|job| job.has_ended);
        let newest = newest_ended.map_or(0, |job| job + 1);
        if self.jobs.iter().any(|job| job.overlaps) {
            Some("the manifest is one sequence")
        } else if self.jobs.iter().any(|job| job.has_second_verdict) {
            Some("a datum has one verdict")
        } else if self.folder < newest {
            Some("an older job never overwrites a newer one")
        } else {
            None
        }
    }
}

/// The protocol, without a guard if one is taken out.
#[derive(Clone, Copy)]
struct Protocol {
    without: Option<Guard>,
}

/// A next state, and whether it is calm: reached without a crash, and without a leader beside a living one.
type Next = (State, bool);

impl Protocol {
    fn has(self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    fn next(self, state: &State) -> Vec<Next> {
        let mut next = Vec::new();
        for leader in 0..state.leaders.len() {
            self.lead(state, leader, &mut next);
        }
        for worker in 0..state.workers.len() {
            self.work(state, worker, &mut next);
        }
        next.into_iter()
            .map(|(state, calm)| (state.canonical(), calm))
            .collect()
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
        let mut committed = *state;
        committed.workers[worker] = None;
        let stored = &mut committed.jobs[job];
        let is_second = stored.verdicts & (1 << datum) != 0;
        stored.has_second_verdict |= is_second && !self.has(Guard::FirstVerdict);
        stored.verdicts |= 1 << datum;
        next.push((committed, true));
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
        let outstanding = !stored.verdicts & ((1 << leader.known) - 1) & !state.ready[job];
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
            outstanding: u64::from((!stored.verdicts & ALL).count_ones()),
            failed: 0,
            hopeless: false,
        };
        if decide(JobState::Running, &StopRequest::Run, &work) == Some(JobEvent::Completed) {
            let mut changed = *state;
            changed.leaders[me].step = Step::Lock;
            with(changed);
        }
    }
}

fn bits(set: u8) -> impl Iterator<Item = u8> {
    (0..DATUMS).filter(move |bit| set & (1 << bit) != 0)
}

/// Explores all states. Returns their number, or the first broken promise.
fn explore(protocol: Protocol) -> Result<usize, &'static str> {
    let mut numbers = HashMap::from([(State::default(), 0_usize)]);
    let mut states = vec![State::default()];
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut at = 0;
    while let Some(state) = states.get(at).copied() {
        if let Some(broken) = state.broken() {
            return Err(broken);
        }
        for (next, is_calm) in protocol.next(&state) {
            let number = *numbers.entry(next).or_insert_with(|| {
                states.push(next);
                before.push(Vec::new());
                states.len() - 1
            });
            if is_calm {
                before[number].push(at);
            }
        }
        at += 1;
    }
    if leads_to_the_end(&states, &before) {
        Ok(states.len())
    } else {
        Err("no job stands for ever")
    }
}

/// True if from every state both jobs end, without further crashes.
fn leads_to_the_end(states: &[State], before: &[Vec<usize>]) -> bool {
    let mut ends: Vec<bool> = states.iter().map(State::is_done).collect();
    let mut open: Vec<usize> = (0..states.len()).filter(|number| ends[*number]).collect();
    while let Some(number) = open.pop() {
        for earlier in &before[number] {
            if !std::mem::replace(&mut ends[*earlier], true) {
                open.push(*earlier);
            }
        }
    }
    ends.into_iter().all(|ends| ends)
}

#[test]
fn whatever_leaders_and_workers_do_the_promises_hold_in_every_state() {
    let states = explore(Protocol { without: None });
    assert!(states.is_ok_and(|states| states > 10_000), "{states:?}");
}

#[test]
fn without_any_of_its_guards_the_protocol_breaks_a_promise() {
    let guards = [
        (Guard::ManifestKey, "the manifest is one sequence"),
        (Guard::FirstVerdict, "a datum has one verdict"),
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
        assert_eq!(explore(Protocol { without }), Err(promise), "{guard:?}");
    }
}
