//! A worker in simulated time: the real decisions (predictions, admission, guard, retries) over datums with log-normal peaks.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use drover_shared::datum::{StageStats, Verdict};
use drover_shared::id::DatumId;
use drover_shared::pipeline::ResourceRequests;
use drover_shared::prediction::UsageModel;
use drover_shared::testing::samples::{success, usage};

use super::demand::expected;
use super::retry::{AfterShortage, MemoryTries};
use crate::memory::simulated::{Occupant, Room, excess, victim};
use crate::slots::Demand;
use crate::slots::simulated::{Waiting, take_next};

const MB: u64 = 1 << 20;
const ALL: Demand = Demand {
    slots: 24,
    memory: 8000 * MB,
    gpus: 0,
};

/// Milliseconds between two looks.
const STEP: u64 = 20;

/// A datum: its peak, reached after half of its time, in bytes and milliseconds.
#[derive(Clone, Copy, Debug)]
struct Datum {
    peak: u64,
    takes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Running {
    datum: usize,
    since: u64,
    demand: Demand,
    tries: MemoryTries,
}

#[derive(Debug)]
struct Simulation {
    datums: Vec<Datum>,
    model: UsageModel,
    waiting: VecDeque<Waiting<(usize, Option<MemoryTries>)>>,
    running: Vec<Running>,
    now: u64,
    ended: usize,
    killed: usize,
    failed: usize,
}

impl Simulation {
    fn of(datums: &[Datum], model: UsageModel) -> Self {
        let mut simulation = Self {
            datums: datums.to_vec(),
            model,
            waiting: VecDeque::new(),
            running: Vec::new(),
            now: 0,
            ended: 0,
            killed: 0,
            failed: 0,
        };
        for datum in 0..datums.len() {
            simulation.wait(datum, None);
        }
        simulation
    }

    fn wait(&mut self, datum: usize, tries: Option<MemoryTries>) {
        let memory = tries.map_or(0, |tries| tries.need());
        // A worker holds as many datums as slots; a datum that runs again waits behind the held datums, before the rest.
        let place = match tries {
            Some(_) => self.waiting.len().min(ALL.slots as usize),
            None => self.waiting.len(),
        };
        let waiting = Waiting {
            demand: Demand {
                slots: 1,
                memory,
                gpus: 0,
            },
            passes: 0,
            datum: (datum, tries),
        };
        self.waiting.insert(place, waiting);
    }

    /// A worker holds as many datums as slots, and asks for a prediction with each taken datum.
    fn predict(&mut self) {
        let held = self.waiting.iter_mut().take(ALL.slots as usize);
        for waiting in held.filter(|it| it.datum.1.is_none()) {
            let predicted = self.model.predict(id(waiting.datum.0), 1);
            let need = expected(&ResourceRequests::default(), predicted, ALL);
            let tries = MemoryTries::new(need, ALL.memory, NonZeroU32::new(3).unwrap());
            waiting.datum.1 = Some(tries);
            waiting.demand.memory = tries.need();
        }
    }

    fn occupants(&self) -> Vec<Occupant> {
        let of = |(place, running): (usize, &Running)| Occupant {
            run: place as u64,
            held: self.held(running),
            need: running.demand.memory,
        };
        self.running.iter().enumerate().map(of).collect()
    }

    fn held(&self, running: &Running) -> u64 {
        let Datum { peak, takes } = self.datums[running.datum];
        peak * (self.now - running.since).min(takes / 2) / (takes / 2)
    }

    fn start(&mut self) {
        self.predict();
        let mut beyond = self
            .waiting
            .split_off(self.waiting.len().min(ALL.slots as usize));
        loop {
            let taken = self
                .running
                .iter()
                .fold(Demand::default(), |sum, it| Demand {
                    slots: sum.slots + 1,
                    memory: sum.memory + it.demand.memory,
                    gpus: 0,
                });
            let excess = excess(&self.occupants());
            let free = Demand {
                slots: ALL.slots - taken.slots,
                memory: (ALL.memory - taken.memory).saturating_sub(excess),
                gpus: 0,
            };
            let Some(next) = take_next(&mut self.waiting, free) else {
                break;
            };
            let (datum, tries) = next.datum;
            self.running.push(Running {
                datum,
                since: self.now,
                demand: next.demand,
                tries: tries.unwrap(),
            });
            self.waiting.extend(beyond.pop_front());
            self.predict();
        }
        self.waiting.append(&mut beyond);
    }

    fn guard(&mut self) {
        let room = Room {
            budget: ALL.memory,
            available: None,
            floor: 0,
        };
        let Some(worst) = victim(&self.occupants(), room) else {
            return;
        };
        let mut ended = self.running.remove(usize::try_from(worst.run).unwrap());
        self.killed += 1;
        match ended.tries.after(worst.held) {
            AfterShortage::Again => self.wait(ended.datum, Some(ended.tries)),
            AfterShortage::UsedUp | AfterShortage::TooLarge => self.failed += 1,
        }
    }

    fn end(&mut self) {
        let now = self.now;
        let is_over = |it: &Running| now - it.since >= self.datums[it.datum].takes;
        let over: Vec<_> = self.running.extract_if(.., |it| is_over(it)).collect();
        for ended in over {
            self.model
                .learn(&verdict(ended.datum, self.datums[ended.datum]));
            self.ended += 1;
        }
    }

    /// Runs all datums, and returns the milliseconds.
    fn run(&mut self) -> u64 {
        while self.ended + self.failed < self.datums.len() {
            self.end();
            self.guard();
            self.start();
            self.now += STEP;
        }
        self.now
    }
}

fn id(datum: usize) -> DatumId {
    DatumId::from_hash(&blake3::hash(&datum.to_le_bytes()))
}

fn verdict(datum: usize, Datum { peak, takes }: Datum) -> Verdict {
    Verdict {
        stats: StageStats {
            download_bytes: 1,
            process_time_s: std::time::Duration::from_millis(takes).as_secs_f64(),
            ..StageStats::default()
        },
        usage: Some(usage(peak)),
        ..success(datum as u64, id(datum))
    }
}

/// Log-normal peaks: half of the datums need more than 200 MB, one in a hundred more than 3 GB.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "figures of a simulation"
)]
fn datums(mut seed: u64) -> Vec<Datum> {
    let mut random = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    let of = |_| {
        let (one, other) = (random().max(1e-12), random());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos();
        let megabytes = (200.0 * (1.164 * normal).exp()).clamp(1.0, 4000.0);
        let takes = 300.0 + megabytes / 2.0 + random() * 400.0;
        Datum {
            peak: megabytes as u64 * MB,
            takes: takes as u64,
        }
    };
    (0..500).map(of).collect()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "figures of a simulation")]
fn a_first_run_is_nearly_as_quick_as_one_that_knows_all_peaks_and_a_second_one_is_as_quick() {
    let mut ratios = Vec::new();
    for seed in 1..=5 {
        let datums = datums(seed);
        let mut oracle = UsageModel::default();
        for (place, datum) in datums.iter().enumerate() {
            let known = Datum {
                peak: datum.peak - datum.peak / 9,
                ..*datum
            };
            oracle.learn(&verdict(place, known));
        }
        let best = Simulation::of(&datums, oracle).run() as f64;
        let mut first = Simulation::of(&datums, UsageModel::default());
        let ratio = first.run() as f64 / best;
        assert_eq!(first.failed, 0, "seed {seed}");
        assert!(
            first.killed < datums.len() / 10,
            "seed {seed}: {} killed",
            first.killed
        );
        let mut second = Simulation::of(&datums, first.model.clone());
        let again = second.run() as f64 / best;
        assert_eq!((second.failed, second.killed), (0, 0), "seed {seed}");
        assert!(again <= 1.1, "seed {seed}: {again:.2}");
        assert!(ratio <= 1.35, "seed {seed}: {ratio:.2}");
        ratios.push(ratio);
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!(mean <= 1.2, "{ratios:.2?}");
}
