//! Trouble of the store while a job ends, on a paused clock: trouble that passes fails no job.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::store::testing::scheduled::{Scheduler, SharedMemory};
use drover_shared::store::{StoreKey, layout};
use tokio::time::{Instant, timeout};

use crate::coordinator::{Assignment, CoordinateError, Scope, resume};
use crate::testing::fixture::{Fixture, WorkerBehavior, control};

const FILES: u64 = 5;
/// Longer than the coordinator waits.
const DEADLINE: Duration = Duration::from_secs(600);
const OUTAGE: Duration = Duration::from_secs(40);

/// A key that a job writes.
type KeyOfJob = fn(JobId) -> StoreKey;

/// A store in memory with inputs.
struct World {
    memory: SharedMemory,
    fixture: Fixture,
}

impl World {
    async fn new() -> Self {
        let memory = SharedMemory::default();
        for file in 0..FILES {
            let key: StoreKey = format!("in/{file:04}").parse().unwrap();
            let text = file.to_string().into();
            memory.at_once().put(&key, text).await.unwrap();
        }
        let mut fixture = Fixture::new(0).await;
        fixture.ledger = Ledger::new(memory.store(Scheduler::new(1)));
        Self { memory, fixture }
    }

    fn job(&self) -> Assignment {
        self.fixture.assignment(Scope::Everything)
    }

    /// Leads the job while a worker does its datums. `as_epoch` leads with successors.
    async fn lead(
        &self,
        assignment: Assignment,
        as_epoch: bool,
    ) -> Result<JobRecord, CoordinateError> {
        let broker = self.fixture.broker().await;
        let mut context = self
            .fixture
            .context(&broker, &control(), &assignment.record);
        if as_epoch {
            context.fence = self.fixture.fence("me").await;
        }
        let mut reports = self.fixture.reports(&broker).await;
        let behavior = WorkerBehavior {
            writes: true,
            ..WorkerBehavior::default()
        };
        tokio::select! {
            ended = timeout(DEADLINE, Box::pin(resume(assignment, context, &mut *reports))) => ended.expect("the job hangs"),
            () = self.fixture.run_fake_worker(&broker, behavior) => panic!("the worker died"),
        }
    }

    async fn outputs(&self) -> usize {
        let folder = layout::output(&self.fixture.pipeline().name);
        self.memory.at_once().names(&folder).await.unwrap().len()
    }

    async fn record(&self, job: JobId) -> JobRecord {
        Ledger::new(self.memory.at_once()).job(job).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_one_command_waits_for_the_store_wherever_its_end_meets_trouble() {
    let rows: [(&str, KeyOfJob); 5] = [
        ("the output folder", |_| "out".parse().unwrap()),
        ("the number of the publication", |_| {
            layout::output_publications(&"out".parse().unwrap())
        }),
        ("what was published", |_| {
            layout::published(&"out".parse().unwrap())
        }),
        ("the seals", layout::results),
        ("the end of the job", layout::synced),
    ];
    for (what, key) in rows {
        let world = World::new().await;
        let assignment = world.job();
        let job = assignment.record.id;
        world.memory.refuse_writes(&key(job), OUTAGE);
        let begun = Instant::now();
        let record = world.lead(assignment, false).await.unwrap();
        assert_eq!(record.state, JobState::Success, "{what}: {record:?}");
        assert!(begun.elapsed() >= OUTAGE, "{what} met no trouble");
        assert_eq!(world.outputs().await as u64, FILES, "{what}");
        assert_eq!(world.record(job).await, record, "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_of_one_command_fails_clearly_if_the_trouble_stays() {
    let world = World::new().await;
    let folder = "out".parse().unwrap();
    world
        .memory
        .refuse_writes(&folder, Duration::from_secs(400));
    let begun = Instant::now();
    let record = world.lead(world.job(), false).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(200));
    assert_eq!(record.state, JobState::Failure);
    let reason = record.reason.unwrap();
    assert!(
        reason.starts_with("cannot bring the output folder up to date: ")
            && reason.contains("503 Service Unavailable"),
        "{reason}"
    );
    // The work is not lost.
    world.memory.refuse_writes(&folder, Duration::ZERO);
    let record = world.lead(world.job(), false).await.unwrap();
    assert_eq!(
        (record.state, record.datums.skipped),
        (JobState::Success, FILES)
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_with_successors_leaves_the_job_to_them_and_the_job_goes_on() {
    let rows: [KeyOfJob; 3] = [|_| "out".parse().unwrap(), layout::results, layout::synced];
    for key in rows {
        let world = World::new().await;
        let assignment = world.job();
        let job = assignment.record.id;
        // Until it is lifted: the paused clock may jump while a thread works.
        world
            .memory
            .refuse_writes(&key(job), Duration::from_hours(24));
        let error = world.lead(assignment.clone(), true).await.unwrap_err();
        assert!(error.is_passing(), "{error}");
        let record = world.record(job).await;
        assert!(!record.state.is_final(), "{record:?}");
        world.memory.refuse_writes(&key(job), Duration::ZERO);
        let resumed = Assignment {
            record,
            ..assignment
        };
        let record = world.lead(resumed, true).await.unwrap();
        assert_eq!(record.state, JobState::Success, "{record:?}");
        assert_eq!(world.outputs().await as u64, FILES);
    }
}
