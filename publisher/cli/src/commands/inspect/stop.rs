//! `drover stop`: requests the stop of a job.

use std::sync::Arc;

use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::process::process_name;

use crate::args::Stop;
use crate::commands::Context;
use crate::commands::broker;
use crate::commands::inspect::wait;
use crate::exit::Exit;
use crate::render::{count, counted};
use drover_core::catalog;
use drover_core::leader::PipelineLeader;

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
    let job = record.id;
    let broker = broker::connect_if_named(context, ledger).await;
    if let Some(broker) = &broker
        && let Err(error) = catalog::broadcast_stop(broker, job).await
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
        return wait::until_final(ledger, job).await;
    };
    let leader = PipelineLeader::on_broker(ledger.clone(), Arc::new(broker), process_name());
    let ended = wait::until_final(ledger, job);
    tokio::pin!(ended);
    tokio::select! {
        record = &mut ended => record,
        () = leader.run(&record.pipeline) => ended.await,
    }
}
