//! `drover run`: runs pipelines in sequence on the local machine.

use std::sync::Arc;

use anyhow::Context as _;
use drover_core::catalog::{self, SubmitOptions};
use drover_core::code;
use drover_core::coordinator::{Assignment, Snapshot};
use drover_core::leader::{LocalWorkers, OnShutdown, PipelineLeader, QUEUE_CAPACITY, Workers};
use drover_shared::id::PipelineName;
use drover_shared::job::{FailureGroups, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::names::first_names;
use drover_shared::pipeline::Pipeline;
use drover_shared::process::{Lifecycle, ShutdownOutcome, Tokens, process_name};
use drover_shared::queue::Embedded;
use drover_worker::runner::CommandLimits;
use tokio::sync::watch;

use crate::args::{Engine, Format, Plan, Rows, Run, Trial};
use crate::commands::Context;
use crate::commands::broker;
use crate::commands::cluster::follow::{JobFollower, OnSignal};
use crate::commands::inspect::wait;
use crate::commands::notify::EndedJobs;
use crate::commands::run::broker_worker;
use crate::commands::run::working_dir::WorkingDir;
use crate::commands::spec::sources::{CheckedSpecs, PreparedPipeline};
use crate::commands::spec::{no_match, plan, sources};
use crate::commands::trial;
use crate::exit::Exit;
use crate::render;

/// How many code files of a pipeline are named.
const MOST_NAMED: usize = 5;

pub(crate) async fn run(typed: &Run, context: &Context) -> anyhow::Result<Exit> {
    if typed.dry_run {
        let preview = Plan {
            sources: typed.sources.clone(),
            why: false,
            rows: Rows { limit: None },
        };
        return Box::pin(plan::plan(&preview, context)).await;
    }
    let checked = sources::prepare(&typed.sources, context)?;
    if typed.sources.one_liner.print_spec {
        return plan::print_spec(&checked, context);
    }
    checked.print_notes(context);
    let ledger = context.ledger().await?;
    print_code(&checked, &ledger, context).await;
    let trace = context.trace_parent();
    let job = |prepared: &PreparedPipeline| {
        prepared.new_job(typed.reprocess, &typed.early_end, trace.clone())
    };
    let assignments: Vec<Assignment> = checked.pipelines.iter().map(job).collect();
    let working_dir = WorkingDir::look(&context.current_dir);
    let exit = in_order(assignments, typed.trial, &typed.engine, &ledger, context).await?;
    if context.console.format == Format::Text {
        let outputs = checked.pipelines.iter();
        let outputs: Vec<&str> = outputs.map(|each| each.pipeline.name.as_str()).collect();
        if let Some(warning) = working_dir.warning(&outputs) {
            context.console.message(warning);
        }
    }
    Ok(exit)
}

/// Names the code files of each pipeline. Errors are left to the job.
async fn print_code(checked: &CheckedSpecs, ledger: &Ledger, context: &Context) {
    if context.console.format != Format::Text {
        return;
    }
    for PreparedPipeline { pipeline, .. } in &checked.pipelines {
        let found = code::find(pipeline, &context.current_dir, ledger.store()).await;
        let names: Vec<String> = found.into_iter().flatten().map(|file| file.name).collect();
        if !names.is_empty() {
            let names = first_names(&names, MOST_NAMED);
            let message = format!("watching code: {names} (a change runs the work again)");
            context.console.message(message);
        }
    }
}

/// Runs jobs in order, except jobs whose input should have come from a failed job.
pub(crate) async fn in_order(
    assignments: Vec<Assignment>,
    trial: Trial,
    engine: &Engine,
    ledger: &Ledger,
    context: &Context,
) -> anyhow::Result<Exit> {
    let jobs = EndedJobs::of(&assignments, engine.notify_keys.clone());
    let exit = if context.broker.is_typed {
        on_broker(trial.jobs(assignments), engine, ledger, context).await
    } else {
        on_this_machine(assignments, trial, engine, ledger, context).await
    };
    jobs.tell(ledger, context).await;
    exit
}

/// Runs jobs on the local machine, with a queue inside the current process.
async fn on_this_machine(
    assignments: Vec<Assignment>,
    trial: Trial,
    engine: &Engine,
    ledger: &Ledger,
    context: &Context,
) -> anyhow::Result<Exit> {
    let lifecycle = Lifecycle::new(engine.grace).context("cannot listen for signals")?;
    let queue = Arc::new(Embedded::new(QUEUE_CAPACITY));
    let jobs = LocalJobs {
        leader: PipelineLeader {
            workers: Workers::Local(local_workers(engine, lifecycle.tokens())),
            ..PipelineLeader::on_broker(ledger.clone(), queue, process_name())
        },
        wait_for_lock: !engine.no_wait,
        trial,
        tokens: lifecycle.tokens(),
        context: context.clone(),
    };
    let worst = lifecycle.spawn_main(async move { Box::pin(jobs.run(assignments)).await });
    if lifecycle.run().await == ShutdownOutcome::CutShort && !worst.is_finished() {
        return Ok(Exit::Stopped);
    }
    worst.await.context("a task of the command failed")?
}

/// Submits jobs to the broker and follows them, with a worker inside the current process.
async fn on_broker(
    mut assignments: Vec<Assignment>,
    engine: &Engine,
    ledger: &Ledger,
    context: &Context,
) -> anyhow::Result<Exit> {
    let lifecycle = Lifecycle::new(engine.grace).context("cannot listen for signals")?;
    let broker = broker::connect(context, ledger).await?;
    for assignment in &assignments {
        broker::check(&broker, &assignment.pipeline, ledger, context).await?;
    }
    let options = SubmitOptions {
        limit: context.broker.timeout,
        key: None,
    };
    catalog::submit(&mut assignments, ledger, &broker, &options, |_| {}).await?;
    let workers = local_workers(engine, lifecycle.tokens());
    let pipelines = assignments.iter().map(|each| each.pipeline.clone());
    let working = broker_worker::work(workers, pipelines.collect(), ledger.clone(), broker.clone());
    let follower = JobFollower {
        ledger: ledger.clone(),
        broker,
        context: context.clone(),
        tokens: lifecycle.tokens(),
        on_signal: OnSignal::StopThem,
    };
    let worst = lifecycle.spawn_main(async move {
        tokio::select! {
            worst = follower.follow_all(assignments) => worst,
            failed = working => Err(failed.into()),
        }
    });
    if lifecycle.run().await == ShutdownOutcome::CutShort && !worst.is_finished() {
        return Ok(Exit::Stopped);
    }
    worst.await.context("a task of the command failed")?
}

/// Context of the jobs of one command.
struct LocalJobs {
    leader: PipelineLeader,
    wait_for_lock: bool,
    trial: Trial,
    tokens: Tokens,
    context: Context,
}

impl LocalJobs {
    async fn run(&self, assignments: Vec<Assignment>) -> anyhow::Result<Exit> {
        let mut worst = Exit::Success;
        let mut without_output: Vec<PipelineName> = Vec::new();
        for assignment in assignments {
            let name = assignment.pipeline.name.clone();
            let failed_before = without_output
                .iter()
                .find(|failed| catalog::reads(&assignment.pipeline, failed));
            if let Some(failed) = failed_before {
                self.context.console.message(format!(
                    "{name} is not run: it reads the output of {failed}, which did not succeed"
                ));
                without_output.push(name);
                continue;
            }
            if self.tokens.soft.is_cancelled() {
                return Ok(worst.worse(Exit::Stopped));
            }
            let exit = Box::pin(self.with_trial(assignment)).await?;
            if exit != Exit::Success || self.trial.first_only {
                without_output.push(name);
            }
            worst = worst.worse(exit);
        }
        Ok(worst)
    }

    /// Runs the first datums of a job, if they are wanted, and then the whole job, unless it is hopeless or not wanted any more.
    async fn with_trial(&self, whole: Assignment) -> anyhow::Result<Exit> {
        if let Some(first) = self.trial.of(&whole) {
            let console = self.context.console;
            let first = self.one(first).await?;
            let exit = Exit::of_job(&first);
            if self.trial.first_only {
                return Ok(exit);
            }
            if !trial::may_go_on(&first, whole.keep_going) {
                console.message("the whole job is not begun");
                return Ok(exit);
            }
            let asking = trial::is_wanted(&first, console);
            let is_wanted = self.tokens.soft.run_until_cancelled(asking).await;
            if !is_wanted.unwrap_or(false) {
                return Ok(exit);
            }
        }
        Ok(Exit::of_job(&self.one(whole).await?))
    }

    /// Runs one job with progress and prints the record.
    async fn one(&self, assignment: Assignment) -> anyhow::Result<JobRecord> {
        let console = self.context.console;
        if !assignment.pipeline.transform.image.is_empty() && console.format == Format::Text {
            let name = &assignment.pipeline.name;
            console.message(format!("{name}: the command runs on this machine; transform.image is for workers in containers"));
        }
        let pipeline = assignment.pipeline.clone();
        let (sender, receiver) = watch::channel(Snapshot::new(assignment.record.clone()));
        let last = receiver.clone();
        let progress =
            self.tokens
                .tracker
                .spawn(render::follow(receiver, self.tokens.soft.clone(), console));
        let running =
            self.leader
                .run_own_job(assignment, self.wait_for_lock, &self.tokens.soft, sender);
        // Boxed: the future of a leader is large.
        let ended = Box::pin(running).await;
        let _ = progress.await;
        let record = ended?;
        let failures = last.borrow().failures.clone();
        self.print(&record, &failures, &pipeline)?;
        Ok(record)
    }

    /// Prints the record of a job; `pipeline` is its pipeline.
    fn print(
        &self,
        record: &JobRecord,
        failures: &FailureGroups,
        pipeline: &Pipeline,
    ) -> anyhow::Result<()> {
        wait::print(record, failures, &self.context)?;
        if record.state == JobState::Success && record.datums.total == 0 {
            let store = self.leader.ledger.store().local_root();
            let advice = no_match::advice(pipeline, store);
            self.context.console.message(advice);
        }
        Ok(())
    }
}

/// The workers of the command, as the command line sets them.
fn local_workers(engine: &Engine, tokens: Tokens) -> LocalWorkers {
    LocalWorkers {
        slots: engine.workers,
        memory: engine.memory,
        scratch_limit: engine.scratch_limit,
        look_ahead: engine.look_ahead,
        term_grace: engine.term_grace,
        scratch: engine.scratch.clone(),
        privileged: engine.privileged,
        limits: CommandLimits {
            open_files: engine.max_open_files,
            processes: engine.max_processes,
        },
        tokens,
        on_shutdown: OnShutdown::EndJob,
    }
}
