//! Following jobs on the broker to their end, coordinating them where nobody else does.

use std::sync::Arc;

use drover_shared::id::PipelineName;
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::process::{Tokens, process_name};
use drover_shared::queue::rabbitmq::RabbitMq;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::commands::inspect::wait;
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use crate::render;
use drover_core::coordinator::{Assignment, Snapshot};
use drover_core::leader::{LiveJobs, PipelineLeader, follow};

/// What becomes of the jobs when this command is asked to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OnSignal {
    /// They go on without it.
    LeaveThem,
    /// They are stopped.
    StopThem,
}

/// Jobs on the broker that a command follows.
pub(crate) struct Cluster {
    pub(crate) ledger: Ledger,
    pub(crate) broker: RabbitMq,
    pub(crate) context: Context,
    pub(crate) tokens: Tokens,
    pub(crate) on_signal: OnSignal,
}

impl Cluster {
    /// Follows the jobs, which are on the broker, in their order; prints the record of each. The exit of the worst.
    pub(crate) async fn see_through(
        &self,
        assignments: Vec<Assignment>,
    ) -> Result<Exit, CommandError> {
        let broker = Arc::new(self.broker.clone());
        let leader = PipelineLeader::on_broker(self.ledger.clone(), broker, process_name());
        let shown = leader.shown.clone();
        let _stewards = attend(&leader, &assignments);
        let mut worst = Exit::Success;
        for (at, assignment) in assignments.iter().enumerate() {
            let Some(record) = self.see_one(&assignment.record, &shown).await? else {
                self.say_that_they_go_on(&assignments[at..]);
                return Ok(worst.worse(Exit::StillRunning));
            };
            worst = worst.worse(Exit::of_job(&record));
        }
        Ok(worst)
    }

    /// Follows one job; none if the command was asked to leave it.
    async fn see_one(
        &self,
        record: &JobRecord,
        shown: &LiveJobs,
    ) -> Result<Option<JobRecord>, CommandError> {
        let (sender, receiver) = watch::channel(Snapshot::new(record.clone()));
        shown.show(record.id, sender.clone());
        let last = receiver.clone();
        let progress = render::follow(receiver, self.tokens.soft.clone(), self.context.console);
        let progress = self.tokens.tracker.spawn(progress);
        let record = tokio::select! {
            record = follow(&self.ledger, record.id, &sender) => record?,
            left = self.heed_signals(record) => match left? { Left => return Ok(None) },
        };
        // A snapshot that is final ends the progress display.
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
            let nothing = "no file matched; `drover plan` shows what the globs match";
            self.context.console.talk(nothing);
        }
        drop(sender);
        let soft = &self.tokens.soft;
        let _ = soft.run_until_cancelled(shown.let_go(record.id)).await;
        Ok(Some(record))
    }

    /// Returns when the job is to be left; one that is to be stopped is followed to its end.
    async fn heed_signals(&self, record: &JobRecord) -> Result<Left, CommandError> {
        self.tokens.soft.cancelled().await;
        match self.on_signal {
            OnSignal::LeaveThem => Ok(Left),
            OnSignal::StopThem => {
                self.ledger.request_stop(record.id).await?;
                std::future::pending().await
            }
        }
    }

    fn say_that_they_go_on(&self, left: &[Assignment]) {
        for assignment in left {
            let (id, name) = (assignment.record.id, &assignment.pipeline.name);
            self.context.console.talk(format!(
                "job {id} of {name} goes on as long as somebody coordinates it (`drover serve`); `drover wait {id}` follows it, `drover stop {id}` stops it"
            ));
        }
    }
}

/// The job is left to others.
struct Left;

/// Stewards for the pipelines of these jobs; gone when dropped.
fn attend(leader: &PipelineLeader, assignments: &[Assignment]) -> JoinSet<()> {
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
