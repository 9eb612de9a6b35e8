//! `drover publish`: submits jobs to the broker.

use anyhow::Context as _;
use drover_shared::ledger::Ledger;
use drover_shared::process::{Lifecycle, ShutdownOutcome};
use drover_shared::queue::rabbitmq::RabbitMq;
use std::time::{Duration, Instant};

use crate::args::{Format, Publish};
use crate::commands::Context;
use crate::commands::broker;
use crate::commands::cluster::follow::{JobFollower, OnSignal};
use crate::commands::notify::EndedJobs;
use crate::commands::spec::sources::{self, PreparedPipeline};
use crate::exit::Exit;
use drover_core::catalog::{self, SubmitOptions};
use drover_core::coordinator::Assignment;

/// Time for a following command to end.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) async fn publish(typed: &Publish, context: &Context) -> anyhow::Result<Exit> {
    let checked = sources::prepare(&typed.sources, context)?;
    checked.print_notes(context);
    let trace = context.trace_parent();
    let job = |prepared: &PreparedPipeline| {
        prepared.new_job(typed.reprocess, &typed.early_end, trace.clone())
    };
    let wholes = checked.pipelines.iter().map(job).collect();
    let mut assignments = typed.trial.jobs(wholes);
    if !typed.wait {
        let mut printed = Ok(());
        submit(&mut assignments, typed, context, |assignment| {
            if printed.is_ok() {
                printed = print(assignment, context);
            }
        })
        .await?;
        return printed.map(|()| Exit::Success);
    }
    submit_and_follow(assignments, typed.clone(), context).await
}

/// Submits the jobs, and calls `on_submitted` for each job that the store has. The connect timeout bounds all that the
/// broker does.
async fn submit(
    assignments: &mut [Assignment],
    typed: &Publish,
    context: &Context,
    on_submitted: impl FnMut(&Assignment),
) -> anyhow::Result<(RabbitMq, Ledger)> {
    let begun = Instant::now();
    let ledger = context.ledger().await?;
    let broker = broker::connect(context, &ledger).await?;
    for assignment in &*assignments {
        broker::check(&broker, &assignment.pipeline, &ledger, context).await?;
    }
    let options = SubmitOptions {
        limit: context.broker.timeout.saturating_sub(begun.elapsed()),
        key: typed.key.clone(),
    };
    catalog::submit(assignments, &ledger, &broker, &options, on_submitted).await?;
    Ok((broker, ledger))
}

/// Submits the jobs and follows them. A signal detaches the command at any moment; submitted jobs continue.
async fn submit_and_follow(
    mut assignments: Vec<Assignment>,
    typed: Publish,
    context: &Context,
) -> anyhow::Result<Exit> {
    let lifecycle = Lifecycle::new(GRACE).context("cannot listen for signals")?;
    let (tokens, context) = (lifecycle.tokens(), context.clone());
    let worst = lifecycle.spawn_main(async move {
        let submitting = submit(&mut assignments, &typed, &context, |_| {});
        let Some(submitted) = tokens.soft.run_until_cancelled(submitting).await else {
            return Ok(Exit::StillRunning);
        };
        let (broker, ledger) = submitted?;
        let jobs = EndedJobs::of(&assignments, typed.notify_keys.clone());
        let follower = JobFollower {
            ledger: ledger.clone(),
            broker,
            context: context.clone(),
            tokens: tokens.clone(),
            on_signal: OnSignal::LeaveThem,
        };
        let exit = follower.follow_all(assignments).await;
        let _ = tokens
            .soft
            .run_until_cancelled(jobs.tell(&ledger, &context))
            .await;
        exit
    });
    if lifecycle.run().await == ShutdownOutcome::CutShort && !worst.is_finished() {
        return Ok(Exit::StillRunning);
    }
    worst.await.context("a task of the command failed")?
}

/// Prints the id, or the record as JSON.
fn print(assignment: &Assignment, context: &Context) -> anyhow::Result<()> {
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(&assignment.record)?,
        Format::Text => out.lines(&[assignment.record.id.to_string()])?,
    }
    Ok(out.finish()?)
}
