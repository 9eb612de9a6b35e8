//! `drover stop`: requests the stop of a job.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::process::{check_writable, process_name};
use drover_shared::queue::{Broker as _, Link, Queue};
use tokio::time::{Instant, sleep};

use crate::args::Stop;
use crate::commands::Context;
use crate::commands::broker;
use crate::commands::inspect::wait;
use crate::exit::Exit;
use crate::render::{count, counted};
use drover_core::catalog;
use drover_core::leader::PipelineLeader;

/// How long a coordinator may take to end a stopped job before the command ends the job itself. Longer than a coordinator
/// waits for a frozen worker.
const LEADER_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a queue may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Interval between two looks at the broker and the job afterwards.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn stop(typed: &Stop, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let mut record = catalog::record(&ledger, id).await?;
    if record.state.is_final() {
        context.console.message(format!(
            "job {} has ended already: {}",
            id.short(),
            record.state
        ));
    } else {
        let (ended, left) = (
            count(record.datums.ended()),
            counted(record.datums.outstanding(), "datum"),
        );
        context.console.message(format!(
            "stopping job {} of {}: {ended} done, {left} left",
            id.short(),
            record.pipeline
        ));
        ledger.request_stop(id).await?;
        let on_broker = ledger.submission(id).await?.is_some();
        record = match (on_broker, typed.no_wait) {
            (true, _) => stop_on_broker(record, &ledger, typed, context).await?,
            (false, false) => wait::until_final(&ledger, id).await?,
            (false, true) => record,
        };
    }
    let failures = catalog::failures(&ledger, &record).await?;
    wait::print(&record, &failures, context)?;
    Ok(Exit::Success)
}

/// Publishes the stop request to the workers, and leads the pipeline if no service does.
async fn stop_on_broker(
    record: JobRecord,
    ledger: &Ledger,
    typed: &Stop,
    context: &Context,
) -> anyhow::Result<JobRecord> {
    let begun = Instant::now();
    let job = record.id;
    let broker = broker::connect_if_named(context, ledger).await;
    if let Some(broker) = &broker
        && let Err(error) = catalog::broadcast_stop(broker, ledger, job).await
    {
        context.console.message(format!(
            "the workers could not be told, and find the stop in the store: {error}"
        ));
    }
    if typed.no_wait {
        return Ok(record);
    }
    let Some(broker) = broker else {
        context.console.message(
            "waiting for the coordinator of the job; with --broker URL this command coordinates if no service does",
        );
        return tokio::select! {
            record = wait::until_final(ledger, job) => record,
            ended = end_alone(&record, begun, ledger, context, async || true) => ended,
        };
    };
    let link = broker.clone();
    let is_cut_off =
        async || link.link() != Link::Up || !has_quorum(&record.pipeline, ledger, context).await;
    let leader = PipelineLeader::on_broker(ledger.clone(), Arc::new(broker), process_name());
    let ended = wait::until_final(ledger, job);
    tokio::pin!(ended);
    tokio::select! {
        record = &mut ended => record,
        () = leader.run(&record.pipeline) => ended.await,
        ended = end_alone(&record, begun, ledger, context, is_cut_off) => ended,
    }
}

/// Ends the job in the store if no coordinator does within [`LEADER_TIMEOUT`] and `is_cut_off` holds: the broker is away, blocked,
/// or without a majority of its nodes. No leadership can be had then, and the stop would wait for the broker. An error if the store
/// cannot be written, since nobody can end the job then.
async fn end_alone(
    record: &JobRecord,
    begun: Instant,
    ledger: &Ledger,
    context: &Context,
    is_cut_off: impl AsyncFn() -> bool,
) -> anyhow::Result<JobRecord> {
    sleep(LEADER_TIMEOUT.saturating_sub(begun.elapsed())).await;
    loop {
        check_writable(ledger.store(), &process_name())
            .await
            .context("the stop is requested, and takes effect once the store can be written")?;
        // A job that is being published is about to end.
        if is_cut_off().await && runs(ledger, record.id).await? {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    context.console.message(
        "no coordinator has ended the job, so this command ends it in the store; workers notice that at their next datum",
    );
    Ok(catalog::end_stopped(ledger, record.id, &process_name()).await?)
}

/// True if the broker can serve the queues of the pipeline. The question has a connection of its own, as a broker without a majority
/// of its nodes may close the connection.
async fn has_quorum(pipeline: &PipelineName, ledger: &Ledger, context: &Context) -> bool {
    let Ok(broker) = broker::connect_to_look(context, ledger).await else {
        return false;
    };
    let queue = Queue::Dead(pipeline.clone());
    broker.answers(&queue, ANSWER_TIMEOUT).await
}

/// True if the datums of the job have not all ended.
async fn runs(ledger: &Ledger, job: JobId) -> anyhow::Result<bool> {
    let state = catalog::record(ledger, job).await?.state;
    Ok(matches!(state, JobState::Starting | JobState::Running))
}
