//! All single preemptions: a process freezes once, at each of its scheduling points in turn, while the others go on.

use std::time::Duration;

use drover_shared::store::testing::scheduled::{Preemption, Scheduler};
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::world::World;
use crate::testing::schedules::run_paused;

/// All freezes for long, after which the successor has ended all jobs; and some of the others, at every so many points.
const FREEZES: [Freeze; 4] = [
    Freeze::new(300, 0, 1),
    Freeze::new(300, 30, 8),
    // It ends while the successor waits for late requests to a bucket.
    Freeze::new(50, 0, 8),
    Freeze::new(2, 0, 8),
];

/// A freeze that is tried.
#[derive(Clone, Copy, Debug)]
struct Freeze {
    lasts: Duration,
    /// Lag of listings.
    lag: Duration,
    /// Number of points from one try to the next.
    every: usize,
}

impl Freeze {
    const fn new(lasts_s: u64, lag_s: u64, every: usize) -> Self {
        Self {
            lasts: Duration::from_secs(lasts_s),
            lag: Duration::from_secs(lag_s),
            every,
        }
    }
}

/// The process that freezes.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Leader,
    Worker,
}

impl Victim {
    /// Datums of each job.
    fn datums(self) -> u64 {
        match self {
            Self::Leader => 3,
            Self::Worker => 10,
        }
    }
}

/// One schedule.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    victim: Victim,
    preemption: Preemption,
    lag: Duration,
}

impl Schedule {
    /// Runs the schedule. False if the victim ended, or all jobs did, before the preemption.
    async fn run(self) -> bool {
        let world = World::new(format!("{self:?}"), self.victim.datums()).await;
        world.delay_listings(self.lag);
        let frozen = Scheduler::steady(Some(self.preemption));
        let steady = || Scheduler::steady(None);
        let (leads, works) = match self.victim {
            Victim::Leader => (frozen.clone(), steady()),
            Victim::Worker => (steady(), frozen.clone()),
        };
        let workers = [("worker-1", works), ("worker-2", steady())].map(|(name, scheduler)| {
            let (world, sets) = (world.clone(), fastrand::Rng::with_seed(1));
            spawn_local(async move { world.work(name, scheduler, sets).await })
        });
        let mut leader = {
            let world = world.clone();
            spawn_local(async move { Box::pin(world.lead(leads)).await })
        };
        let is_preempted = tokio::select! {
            () = frozen.preempted() => true,
            ended = &mut leader => {
                ended.unwrap().unwrap();
                false
            }
        };
        if is_preempted {
            match self.victim {
                // The broker gives leadership and messages of a lost connection to others.
                Victim::Leader => world.lead_to_the_end(steady).await,
                Victim::Worker => world.redeliver("worker-1").await,
            }
            world.expect_end(leader).await;
            // A frozen worker wakes, and goes on with what it had.
            sleep(self.preemption.lasts * 2).await;
        }
        world.check().await;
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        is_preempted
    }
}

/// Runs the schedules that preempt `victim`. Returns the number of schedules.
fn preempt_everywhere(victim: Victim) -> usize {
    let mut schedules = 0;
    for freeze in FREEZES {
        let points = (0..).step_by(freeze.every);
        let preempted = points.map(|at| {
            let schedule = Schedule {
                victim,
                preemption: Preemption {
                    at,
                    lasts: freeze.lasts,
                },
                lag: freeze.lag,
            };
            run_paused(schedule.run())
        });
        schedules += preempted.take_while(|is_preempted| *is_preempted).count();
    }
    schedules
}

#[test]
fn wherever_a_leader_freezes_its_successor_ends_the_jobs_and_the_folder_is_of_the_newest() {
    let schedules = preempt_everywhere(Victim::Leader);
    assert!(schedules > 300, "{schedules}");
}

#[test]
fn wherever_a_worker_freezes_each_datum_has_the_verdict_that_its_worker_was_told_of() {
    let schedules = preempt_everywhere(Victim::Worker);
    assert!(schedules > 150, "{schedules}");
}
