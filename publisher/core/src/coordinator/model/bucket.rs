//! The publication in a bucket, which has no locks: a request may land long after its sender was replaced.
//!
//! A publication leaves a mark, sends requests, and removes the mark. A publication that finds an earlier mark waits until
//! no request of the earlier publication can be under way, and sends all requests again. The only assumption about time: no
//! leader freezes between a look at the epoch and the next request for longer than the wait.

use super::explore::{Machine, explore};

const JOBS: usize = 2;

const PROMISE: &str = "at rest the folder is that of the newest successful job";

/// A guard of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Guard {
    /// A publication leaves a mark until it has ended.
    Mark,
    /// After an earlier mark, the requests are sent again.
    SecondLook,
    /// The second look follows after the longest time of a request.
    Wait,
    /// A leader looks for a later one before each request.
    Epoch,
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Step {
    /// Not leading.
    #[default]
    Out,
    /// About to list the marks and leave a mark.
    Mark,
    /// About to send a request.
    Send,
    /// The request is under way.
    Answer,
    /// Waits until no request of an earlier publication can be under way.
    Wait,
    /// About to remove the marks.
    Unmark,
    /// About to save the final record.
    Close,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, of which every combination is a state"
)]
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Leader {
    step: Step,
    job: usize,
    /// No later leader has begun.
    is_latest: bool,
    /// The mark of the leader exists.
    has_mark: bool,
    /// The listing had a mark without a leader.
    saw_stray: bool,
    /// The listing had the mark of the second leader.
    saw_other: bool,
    /// A mark without a leader came after the listing.
    has_new_stray: bool,
    is_second_look: bool,
}

impl Leader {
    fn has_listed(self) -> bool {
        self.step > Step::Mark
    }
}

#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
struct State {
    has_ended: [bool; JOBS],
    /// Requests without a sender that may still land, by job.
    late: [bool; JOBS],
    /// A mark without a leader exists.
    has_stray: bool,
    leaders: [Leader; 2],
    /// Number of the job whose content the folder has; 0 at the beginning.
    folder: usize,
}

impl State {
    /// Leaders are interchangeable.
    fn canonical(mut self) -> Self {
        self.leaders.sort_unstable();
        self
    }

    fn is_at_rest(&self) -> bool {
        let is_out = |leader: &Leader| leader.step == Step::Out;
        self.leaders.iter().all(is_out) && self.late == [false; JOBS]
    }

    /// The leader is gone; mark and request stay.
    fn leave(&mut self, me: usize) {
        let leader = std::mem::take(&mut self.leaders[me]);
        self.late[leader.job] |= leader.step == Step::Answer;
        self.has_stray |= leader.has_mark;
        let other = &mut self.leaders[1 - me];
        other.has_new_stray |= leader.has_mark && other.has_listed() && !other.saw_other;
        other.saw_stray |= std::mem::take(&mut other.saw_other);
    }
}

/// The protocol, without a guard if one is taken out.
struct Publications {
    without: Option<Guard>,
}

impl Publications {
    fn has(&self, guard: Guard) -> bool {
        self.without != Some(guard)
    }

    /// The next state after a step of a leader that has a job; none while the leader waits.
    fn step(&self, mut state: State, me: usize) -> Option<State> {
        let State {
            late, has_stray, ..
        } = state;
        let (leader, other) = (state.leaders[me], state.leaders[1 - me]);
        let mine = &mut state.leaders[me];
        match leader.step {
            Step::Out => return None,
            Step::Mark => {
                mine.step = Step::Send;
                mine.has_mark = self.has(Guard::Mark);
                mine.saw_stray = has_stray;
                mine.saw_other = other.has_mark;
            }
            Step::Send if !leader.is_latest && self.has(Guard::Epoch) => state.leave(me),
            Step::Send => mine.step = Step::Answer,
            Step::Answer => {
                let is_first = (leader.saw_stray || leader.saw_other) && !leader.is_second_look;
                mine.step = if is_first && self.has(Guard::SecondLook) {
                    Step::Wait
                } else {
                    Step::Unmark
                };
                state.folder = leader.job + 1;
            }
            Step::Wait => {
                let is_over = late == [false; JOBS] && other.step != Step::Answer;
                if !is_over && self.has(Guard::Wait) {
                    return None;
                }
                mine.step = Step::Send;
                mine.is_second_look = true;
            }
            Step::Unmark => {
                mine.step = Step::Close;
                mine.has_mark = false;
                state.has_stray = has_stray && (!leader.saw_stray || leader.has_new_stray);
                state.leaders[1 - me].has_mark &= !leader.saw_other;
            }
            Step::Close => {
                state.has_ended[leader.job] = true;
                state.leave(me);
            }
        }
        Some(state)
    }

    /// A leader begins with the first job that has not ended.
    fn begin(mut state: State, me: usize) -> Option<State> {
        let job = state.has_ended.iter().position(|ended| !ended)?;
        state.leaders[1 - me].is_latest = false;
        state.leaders[me] = Leader {
            step: Step::Mark,
            job,
            is_latest: true,
            ..Leader::default()
        };
        Some(state)
    }
}

impl Machine for Publications {
    type State = State;

    fn next(&self, state: &State) -> Vec<(State, bool)> {
        let mut next = Vec::new();
        for (me, leader) in state.leaders.iter().enumerate() {
            if leader.step == Step::Out {
                let is_alone = state.leaders[1 - me].step == Step::Out;
                next.extend(Self::begin(*state, me).map(|begun| (begun, is_alone)));
                continue;
            }
            next.extend(self.step(*state, me).map(|stepped| (stepped, true)));
            // A crash, or a look at the epoch if a later leader has begun.
            let mut left = *state;
            left.leave(me);
            next.push((left, !leader.is_latest));
        }
        for job in (0..JOBS).filter(|job| state.late[*job]) {
            let mut landed = *state;
            landed.folder = job + 1;
            next.push((landed, true));
            landed.late[job] = false;
            next.push((landed, true));
            let mut lost = *state;
            lost.late[job] = false;
            next.push((lost, true));
        }
        next.into_iter()
            .map(|(state, is_calm)| (state.canonical(), is_calm))
            .collect()
    }

    fn broken(&self, state: &State) -> Option<&'static str> {
        let newest = state.has_ended.iter().rposition(|ended| *ended);
        let is_of_older = state.folder < newest.map_or(0, |job| job + 1);
        (state.is_at_rest() && is_of_older).then_some(PROMISE)
    }

    fn is_done(&self, state: &State) -> bool {
        state.has_ended.iter().all(|ended| *ended)
    }
}

#[test]
fn whenever_requests_arrive_the_folder_is_at_rest_that_of_the_newest_job() {
    let states = explore(&Publications { without: None });
    assert!(states.is_ok_and(|states| states > 1_000), "{states:?}");
}

#[test]
fn without_any_of_its_guards_a_late_request_spoils_the_folder() {
    for guard in [Guard::Mark, Guard::SecondLook, Guard::Wait, Guard::Epoch] {
        let without = Some(guard);
        let explored = explore(&Publications { without });
        assert_eq!(explored, Err(PROMISE), "{guard:?}");
    }
}
