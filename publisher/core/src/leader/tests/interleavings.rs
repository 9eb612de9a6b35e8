//! Real leaders of two processes and two pipelines under seeded schedules: capacity that one process lacks keeps no job
//! from the other process.

use std::sync::Arc;
use std::time::Duration;

use drover_shared::job::JobState;
use drover_shared::ledger::Ledger;
use drover_shared::queue::{Broker, Embedded};
use drover_shared::store::StoreKey;
use drover_shared::store::testing::scheduled::{Scheduler, SharedMemory};
use tokio::sync::Semaphore;
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};

use super::{leader, submit};
use crate::leader::PipelineLeader;
use crate::testing::fixture::{Fixture, WorkerBehavior};
use crate::testing::scheduled_broker::ScheduledBroker;
use crate::testing::schedules::each_seed;

/// Schedules of a test run.
const SCHEDULES: u64 = 300;
/// The job of the first pipeline has no worker until then.
const BUSY: Duration = Duration::from_secs(120);
/// A job with a worker, which no capacity is missing for, ends well before.
const SOON: Duration = Duration::from_secs(60);

/// The pipeline `name` over the memory, with its queues.
async fn pipeline(memory: &SharedMemory, broker: &Embedded, name: &str) -> Arc<Fixture> {
    let mut fixture = Fixture::new(0).await;
    fixture.ledger = Ledger::new(memory.at_once());
    fixture.spec["pipeline"]["name"] = name.into();
    broker.declare(&fixture.pipeline().name).await.unwrap();
    Arc::new(fixture)
}

/// Waits until the newest job of the pipeline has ended.
async fn ended(fixture: &Fixture) -> JobState {
    let name = fixture.pipeline().name;
    loop {
        let jobs = fixture.ledger.jobs_of(&name).await.unwrap();
        let record = fixture.ledger.job(*jobs.last().unwrap()).await.unwrap();
        if record.state.is_final() {
            return record.state;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Each of two processes has capacity for one job. One is busy with the first pipeline for long; the other one must get
/// the second pipeline, however the steps of both interleave.
async fn run_schedule(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let memory = SharedMemory::default();
    let broker = Arc::new(Embedded::new(1000));
    for file in 0..3 {
        let key: StoreKey = format!("in/{file}").parse().unwrap();
        memory.at_once().put(&key, "x".into()).await.unwrap();
    }
    let (busy, quick) = (
        pipeline(&memory, &broker, "busy").await,
        pipeline(&memory, &broker, "quick").await,
    );
    submit(&busy, vec![]).await;
    submit(&quick, vec![]).await;
    let mut processes = Vec::new();
    for process in ["one", "two"] {
        let scheduler = Scheduler::new(random.u64(..));
        let ledger = Ledger::new(memory.store(scheduler.clone()));
        let leader = PipelineLeader {
            ledger,
            broker: Arc::new(ScheduledBroker::new(&broker, scheduler)),
            limit: Arc::new(Semaphore::new(1)),
            ..leader(&busy, &broker, process)
        };
        // Both pipelines at once, so a process wins the leadership of both while it has capacity for one.
        let pause = Duration::from_millis(random.u64(0..2000));
        for fixture in [&busy, &quick] {
            let (leader, name) = (leader.clone(), fixture.pipeline().name);
            processes.push(spawn_local(async move {
                sleep(pause).await;
                leader.run(&name).await;
            }));
        }
    }
    for (fixture, delay) in [(&busy, BUSY), (&quick, Duration::ZERO)] {
        let (fixture, broker) = (Arc::clone(fixture), Arc::clone(&broker));
        processes.push(spawn_local(async move {
            sleep(delay).await;
            let behavior = WorkerBehavior::default();
            fixture.run_fake_worker(&broker, behavior).await;
        }));
    }
    let soon = timeout(SOON, ended(&quick)).await;
    assert_eq!(soon, Ok(JobState::Success), "seed {seed}: an idle process");
    let later = timeout(BUSY + SOON, ended(&busy)).await;
    assert_eq!(later, Ok(JobState::Success), "seed {seed}: a busy process");
    processes.iter().for_each(tokio::task::JoinHandle::abort);
}

#[test]
fn an_idle_process_gets_every_job_that_a_busy_one_has_no_capacity_for() {
    each_seed(SCHEDULES, run_schedule);
}
