//! `drover stop`: requests the stop of a job.

use std::sync::Arc;
use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Ledger;
use drover_shared::process::process_name;
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_shared::queue::{Broker, Link, Queue};
use tokio::time::{Instant, sleep, timeout};

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
    let probed = broker.clone();
    let pipeline = &record.pipeline;
    let leader = PipelineLeader::on_broker(ledger.clone(), Arc::new(broker), process_name());
    let ended = wait::until_final(ledger, job);
    tokio::pin!(ended);
    tokio::select! {
        record = &mut ended => record,
        () = leader.run(&record.pipeline) => ended.await,
        ended = end_alone(&record, begun, ledger, context, async || is_cut_off(&probed, pipeline).await) => ended,
    }
}

/// Ends the job in the store if no coordinator does within [`LEADER_TIMEOUT`] and `is_cut_off` holds: then no leadership can be
/// had, and the stop would wait for the broker.
async fn end_alone(
    record: &JobRecord,
    begun: Instant,
    ledger: &Ledger,
    context: &Context,
    is_cut_off: impl AsyncFn() -> bool,
) -> anyhow::Result<JobRecord> {
    sleep(LEADER_TIMEOUT.saturating_sub(begun.elapsed())).await;
    // A job that is being published is about to end.
    while !is_cut_off().await || !runs(ledger, record.id).await? {
        sleep(LOOK_EVERY).await;
    }
    context.console.message(
        "no coordinator has ended the job, so this command ends it in the store; workers notice that at their next datum",
    );
    Ok(catalog::end_stopped(ledger, record.id, &process_name()).await?)
}

/// True if no leadership of the pipeline can be had: the broker is away or blocked, or the queue does not answer, as without
/// a majority of its nodes.
async fn is_cut_off(broker: &RabbitMq, pipeline: &PipelineName) -> bool {
    let queue = Queue::Reports(pipeline.clone());
    let answer = timeout(ANSWER_TIMEOUT, broker.depth(&queue)).await;
    broker.link() != Link::Up || !matches!(answer, Ok(Ok(_)))
}

/// True if the datums of the job have not all ended.
async fn runs(ledger: &Ledger, job: JobId) -> anyhow::Result<bool> {
    let state = catalog::record(ledger, job).await?.state;
    Ok(matches!(state, JobState::Starting | JobState::Running))
}
