//! Follows submitted jobs to their end, and leads their pipelines if no service does.

use std::sync::Arc;

use drover_shared::id::PipelineName;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::process::{Tokens, process_name};
use drover_shared::queue::rabbitmq::RabbitMq;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::commands::Context;
use crate::commands::inspect::wait;
use crate::commands::spec::no_match::NO_FILE_MATCHED;
use crate::exit::Exit;
use crate::render;
use drover_core::coordinator::{Assignment, Snapshot};
use drover_core::leader::{LiveJobs, PipelineLeader, follow};

/// Action on a signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnSignal {
    /// Leave the jobs to services.
    LeaveThem,
    /// Stop the jobs.
    StopThem,
}

/// Follows submitted jobs.
pub(crate) struct JobFollower {
    pub(crate) ledger: Ledger,
    pub(crate) broker: RabbitMq,
    pub(crate) context: Context,
    pub(crate) tokens: Tokens,
    pub(crate) on_signal: OnSignal,
}

impl JobFollower {
    /// Follows the jobs in their order and prints the record of each; returns the worst exit.
    pub(crate) async fn follow_all(&self, assignments: Vec<Assignment>) -> anyhow::Result<Exit> {
        let broker = Arc::new(self.broker.clone());
        let leader = PipelineLeader::on_broker(self.ledger.clone(), broker, process_name());
        let live_jobs = leader.live_jobs.clone();
        let _leaders = spawn_leaders(&leader, &assignments);
        let mut worst = Exit::Success;
        for (at, assignment) in assignments.iter().enumerate() {
            let Some(record) = self.follow_one(&assignment.record, &live_jobs).await? else {
                self.report_detached(&assignments[at..]);
                return Ok(worst.worse(Exit::StillRunning));
            };
            worst = worst.worse(Exit::of_job(&record));
        }
        Ok(worst)
    }

    /// Follows one job; returns none if a signal detached the command from the job.
    async fn follow_one(
        &self,
        record: &JobRecord,
        live_jobs: &LiveJobs,
    ) -> anyhow::Result<Option<JobRecord>> {
        let (sender, receiver) = watch::channel(Snapshot::new(record.clone()));
        live_jobs.show(record.id, sender.clone());
        let last = receiver.clone();
        let progress = render::follow(receiver, self.tokens.soft.clone(), self.context.console);
        let progress = self.tokens.tracker.spawn(progress);
        let record = tokio::select! {
            record = follow(&self.ledger, record.id, &sender) => record?,
            left = self.on_stop_signal(record) => match left? { Detached => return Ok(None) },
        };
        // A final snapshot ends the progress display.
        sender.send_modify(|snapshot| snapshot.record = record.clone());
        let _ = progress.await;
        let failures = last.borrow().failures.clone();
        let failures = if failures.count() < record.datums.failed {
            self.ledger.failures(record.id).await?
        } else {
            failures
        };
        wait::print(&record, &failures, &self.context)?;
        if record.state == JobState::Success && record.datums.total == 0 {
            self.context.console.message(NO_FILE_MATCHED);
        }
        drop(sender);
        let soft = &self.tokens.soft;
        let _ = soft
            .run_until_cancelled(live_jobs.released(record.id))
            .await;
        Ok(Some(record))
    }

    /// Returns when the command detaches from the job; after a stop request the job is followed to its end.
    async fn on_stop_signal(&self, record: &JobRecord) -> anyhow::Result<Detached> {
        self.tokens.soft.cancelled().await;
        match self.on_signal {
            OnSignal::LeaveThem => Ok(Detached),
            OnSignal::StopThem => {
                self.ledger.request_stop(record.id).await?;
                std::future::pending().await
            }
        }
    }

    fn report_detached(&self, left: &[Assignment]) {
        for assignment in left {
            let (id, name) = (assignment.record.id.short(), &assignment.pipeline.name);
            self.context.console.message(format!(
                "job {id} of {name} continues while a `drover serve` coordinates it; `drover wait {id}` follows the job, `drover stop {id}` stops it"
            ));
        }
    }
}

/// The command detached from the job.
struct Detached;

/// Leaders for the pipelines of the given jobs; they end when the set is dropped.
fn spawn_leaders(leader: &PipelineLeader, assignments: &[Assignment]) -> JoinSet<()> {
    let mut names: Vec<PipelineName> = assignments
        .iter()
        .map(|assignment| assignment.pipeline.name.clone())
        .collect();
    names.sort();
    names.dedup();
    let mut leaders = JoinSet::new();
    for name in names {
        let leader = leader.clone();
        leaders.spawn(async move { leader.run(&name).await });
    }
    leaders
}
