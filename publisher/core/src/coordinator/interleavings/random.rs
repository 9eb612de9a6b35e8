//! Seeded schedules.
//!
//! Later leaders begin while earlier ones are still at work, as after a lost connection; deposed leaders purge the queue of
//! their successors; and in half of the schedules listings lag behind, as on a network file system.

use std::time::Duration;

use drover_shared::queue::{Broker, Queue};
use drover_shared::store::testing::scheduled::Scheduler;
use tokio::task::spawn_local;
use tokio::time::sleep;

use super::world::World;
use crate::testing::schedules::each_seed;

/// Schedules of a test run.
const SCHEDULES: u64 = 2100;
/// Datums of each job: enough for several segments.
const DATUMS: u64 = 9;
/// Longest lag of listings, in milliseconds: a network file system keeps directories for a minute.
const LONGEST_LAG: u64 = 60_000;

/// A schedule: leaders begin at random times, before their predecessors have ended. Returns the number of messages that
/// deposed leaders purged.
async fn run_schedule(seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new(format!("seed {seed}"), DATUMS).await;
    if random.bool() {
        let lag = Duration::from_millis(random.u64(0..LONGEST_LAG));
        world.delay_listings(lag);
    }
    let purging = {
        let (world, seed) = (world.clone(), random.u64(..));
        spawn_local(async move { purge_late(&world, seed).await })
    };
    let workers = ["worker-1", "worker-2"].map(|name| {
        let (world, sets) = (world.clone(), fastrand::Rng::with_seed(random.u64(..)));
        let scheduler = Scheduler::new(random.u64(..));
        spawn_local(async move { world.work(name, scheduler, sets).await })
    });
    let mut leaders = Vec::new();
    for _ in 0..random.u64(1..4) {
        let (world, scheduler) = (world.clone(), Scheduler::new(random.u64(..)));
        leaders.push(spawn_local(
            async move { Box::pin(world.lead(scheduler)).await },
        ));
        let millis = if random.bool() { 1_500 } else { 110_000 };
        sleep(Duration::from_millis(random.u64(0..millis))).await;
    }
    world
        .lead_to_the_end(|| Scheduler::new(random.u64(..)))
        .await;
    for leader in leaders {
        world.expect_end(leader).await;
    }
    world.check().await;
    workers.iter().for_each(tokio::task::JoinHandle::abort);
    purging.await.unwrap()
}

/// Acts for leaders that froze between their last look at the epoch and the purge of the queue, and wake at some moment.
/// Returns the number of messages lost.
async fn purge_late(world: &World, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let queue = Queue::Datums(world.pipeline());
    let mut lost = 0;
    for _ in 0..random.u64(0..4) {
        let millis = if random.bool() { 3_000 } else { 30_000 };
        sleep(Duration::from_millis(random.u64(0..millis))).await;
        lost += world.broker.purge(&queue).await.unwrap();
    }
    lost
}

#[test]
fn whatever_several_leaders_do_a_job_has_one_manifest_and_the_folder_is_of_the_newest_job() {
    let lost = each_seed(SCHEDULES, run_schedule);
    let is_hit = lost.iter().any(|lost| *lost > 0);
    assert!(is_hit || lost.len() < 20, "no purge hit a message");
}
