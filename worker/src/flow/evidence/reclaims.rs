//! Workers on machines with a short notice: a simulation in simulated time, over the real records of the ledger and the
//! real judgement of datums.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU32;

use drover_shared::id::{JobId, WorkerId};
use drover_shared::ledger::Ledger;
use drover_shared::store::Store;

use super::suspicion::Suspicion;

/// Machines, each with a worker of a single slot; a new machine comes with each notice.
const MACHINES: usize = 200;
const RECLAIMS_PER_HOUR: u64 = 100;
/// Time from the notice to the end of the machine, in milliseconds, as all times here.
const NOTICE: u64 = 120_000;
/// Time until a new machine works.
const START: u64 = 45_000;
const HOURS: u64 = 3;
const HOUR: u64 = 3_600_000;

/// Pseudo-random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Happens {
    /// The run of the machine ends, unless a newer run began.
    Ended {
        machine: usize,
        run: u64,
    },
    Reclaim,
    Gone {
        machine: usize,
    },
    Starts {
        machine: usize,
    },
}

#[derive(Clone, Debug)]
struct Running {
    datum: u64,
    run: u64,
    since: u64,
    mark: Option<u32>,
}

#[derive(Clone, Debug, Default)]
struct Machine {
    running: Option<Running>,
    told_to_leave: bool,
    /// False before the start and after the end.
    is_there: bool,
}

struct Simulation {
    ledger: Ledger,
    job: JobId,
    dice: Dice,
    now: u64,
    coming: BinaryHeap<Reverse<(u64, Happens)>>,
    machines: Vec<Machine>,
    /// Each datum with its deliveries before.
    queue: VecDeque<(u64, u32)>,
    durations: Vec<u64>,
    runs: u64,
    deaths: u32,
    /// Milliseconds of runs with a verdict.
    useful: u64,
    wasted_s: f64,
    done: Vec<bool>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        // About as much as the machines do in the time.
        let durations: Vec<u64> = (0..MACHINES as u64 * HOURS * 11)
            .map(|_| 5_000 + dice.below(595_001))
            .collect();
        let mut simulation = Self {
            ledger: Ledger::new(Store::in_memory()),
            job: JobId::generate(),
            dice,
            now: 0,
            coming: BinaryHeap::new(),
            machines: vec![Machine::default(); MACHINES],
            queue: (0..durations.len() as u64)
                .map(|datum| (datum, 0))
                .collect(),
            done: vec![false; durations.len()],
            durations,
            runs: 0,
            deaths: 0,
            useful: 0,
            wasted_s: 0.0,
        };
        for machine in 0..MACHINES {
            simulation.at(0, Happens::Starts { machine });
        }
        for _ in 0..RECLAIMS_PER_HOUR * HOURS {
            let when = simulation.dice.below(HOUR * HOURS);
            simulation.at(when, Happens::Reclaim);
        }
        simulation
    }

    fn at(&mut self, when: u64, what: Happens) {
        self.coming.push(Reverse((when, what)));
    }

    async fn run(&mut self) {
        while let Some(Reverse((when, what))) = self.coming.pop() {
            self.now = when;
            match what {
                Happens::Starts { machine } => {
                    self.machines[machine] = Machine {
                        is_there: true,
                        ..Machine::default()
                    };
                }
                Happens::Ended { machine, run } => self.end(machine, run).await,
                Happens::Reclaim => self.reclaim().await,
                Happens::Gone { machine } => self.lose(machine).await,
            }
            for machine in 0..self.machines.len() {
                self.claim(machine).await;
            }
        }
    }

    /// A worker takes a datum, unless it was told to leave.
    async fn claim(&mut self, machine: usize) {
        let Machine {
            running,
            told_to_leave,
            is_there,
        } = &self.machines[machine];
        if running.is_some() || *told_to_leave || !is_there {
            return;
        }
        let Some((datum, redeliveries)) = self.queue.pop_front() else {
            return;
        };
        let mut mark = None;
        if redeliveries > 0 {
            let past = self.ledger.past_runs(self.job, datum).await.unwrap();
            // A remaining mark is of a dead worker.
            let deaths = u32::try_from(past.marked_by.len()).unwrap();
            self.deaths += deaths;
            let suspicion = Suspicion::of(deaths, NonZeroU32::new(3).unwrap());
            assert_eq!(
                suspicion,
                Suspicion::Innocent,
                "datum {datum} after {deaths} deaths"
            );
            let me = worker(machine);
            let marking = self.ledger.mark_attempt(self.job, datum, "claim", &me);
            mark = Some(marking.await.unwrap());
        }
        self.runs += 1;
        let run = self.runs;
        self.machines[machine].running = Some(Running {
            datum,
            run,
            since: self.now,
            mark,
        });
        let took = self.durations[usize::try_from(datum).unwrap()];
        self.at(self.now + took, Happens::Ended { machine, run });
    }

    async fn end(&mut self, machine: usize, run: u64) {
        let is_same = self.machines[machine]
            .running
            .as_ref()
            .is_some_and(|it| it.run == run);
        let Some(running) = self.machines[machine].running.take_if(|_| is_same) else {
            return;
        };
        let past = self
            .ledger
            .past_runs(self.job, running.datum)
            .await
            .unwrap();
        self.wasted_s += past.wasted_s;
        self.useful += self.now - running.since;
        self.done[usize::try_from(running.datum).unwrap()] = true;
    }

    /// A machine gets a notice: the worker takes the mark back, and goes on until the end.
    async fn reclaim(&mut self) {
        let machine = usize::try_from(self.dice.below(self.machines.len() as u64)).unwrap();
        if self.machines[machine].told_to_leave || !self.machines[machine].is_there {
            let soon = self.now + 1 + self.dice.below(10_000);
            return self.at(soon, Happens::Reclaim);
        }
        self.machines[machine].told_to_leave = true;
        if let Some(Running {
            datum,
            mark: Some(mark),
            ..
        }) = self.machines[machine].running
        {
            self.ledger
                .unmark_attempt(self.job, datum, mark)
                .await
                .unwrap();
        }
        self.at(self.now + NOTICE, Happens::Gone { machine });
        self.machines.push(Machine::default());
        let machine = self.machines.len() - 1;
        self.at(self.now + START, Happens::Starts { machine });
    }

    /// A machine ends: the run is noted, and the datum is delivered again.
    async fn lose(&mut self, machine: usize) {
        self.machines[machine].is_there = false;
        let Some(running) = self.machines[machine].running.take() else {
            return;
        };
        let (claim, ran) = (format!("run-{}", running.run), self.now - running.since);
        let seconds = std::time::Duration::from_millis(ran).as_secs_f64();
        let noting = self
            .ledger
            .note_waste(self.job, running.datum, &claim, seconds);
        noting.await.unwrap();
        self.queue.push_front((running.datum, 1));
    }
}

fn worker(machine: usize) -> WorkerId {
    format!("herd-{machine}").parse().unwrap()
}

#[tokio::test]
async fn a_hundred_reclaims_an_hour_lose_no_datum_charge_none_and_waste_three_percent_at_most() {
    for seed in [1, 2, 3] {
        let mut simulation = Simulation::new(seed);
        simulation.run().await;
        assert!(simulation.done.iter().all(|done| *done), "a datum is lost");
        assert_eq!(simulation.deaths, 0, "a datum is charged with a reclaim");
        let useful = std::time::Duration::from_millis(simulation.useful).as_secs_f64();
        let share = simulation.wasted_s / (useful + simulation.wasted_s);
        assert!(
            share > 0.001 && share <= 0.03,
            "seed {seed}: {:.2} % are wasted",
            share * 100.0
        );
    }
}
