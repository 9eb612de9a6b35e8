//! `drover explain`: why a job failed, or why it is not moving, or why a registered pipeline starts none.

use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::args::{Explain, Format};
use crate::commands::cluster::broker;
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use crate::render::{self, Cluster, Facts};
use drover_core::catalog;
use drover_core::triggers::{WaitReasons, next_tick, overview};

pub(crate) async fn explain(typed: &Explain, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    if let Some(sentences) = of_pipeline(&ledger, &typed.job).await? {
        let json = json!({ "pipeline": typed.job, "explanation": sentences });
        return print(&json, &sentences, context);
    }
    let id = ledger.resolve(&typed.job).await?;
    let record = catalog::record(&ledger, id).await?;
    let failures = catalog::failures(&ledger, &record).await?;
    let waits_for = catalog::running_before(&ledger, &record).await?;
    let cluster = cluster_of(&ledger, &record, context).await?;
    let (count, mut parked) = ledger.dead_letters(&record.pipeline, 1).await?;
    let sentences = render::explain(&Facts {
        record: &record,
        failures: &failures,
        stop_requested: ledger.stop_requested(id).await?,
        waits_for: waits_for.as_ref(),
        cluster,
        parked: (count, parked.pop()),
        now: Timestamp::now(),
    });
    let json = json!({ "job": id, "explanation": sentences });
    print(&json, &sentences, context)
}

fn print(json: &Value, sentences: &[String], context: &Context) -> Result<Exit, CommandError> {
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(json)?,
        Format::Text => out.lines(sentences)?,
    }
    out.finish()?;
    Ok(Exit::Success)
}

/// What keeps a registered pipeline from starting a job; none if it is not the name of one that was typed.
async fn of_pipeline(ledger: &Ledger, typed: &str) -> Result<Option<Vec<String>>, CommandError> {
    let Ok(name) = typed.parse::<PipelineName>() else {
        return Ok(None);
    };
    let Some(registered) = ledger.registered(&name).await? else {
        return Ok(None);
    };
    // One of a spec that is not valid here has no clock that is known.
    let tick = match pipeline::from_value(&registered.spec) {
        Ok(pipeline) => next_tick(&pipeline, registered.created, ledger.store()).await?,
        Err(_) => None,
    };
    let all = overview(ledger, &WaitReasons::default(), |record| record).await?;
    let found = all.iter().find(|each| each.pipeline == name);
    Ok(found.map(|found| render::registered(found, &all, tick)))
}

/// How long a broker may take to notice that it takes no messages.
const PATIENCE: Duration = Duration::from_secs(3);

/// What can be told of the cluster that a job is on which has not ended.
async fn cluster_of(
    ledger: &Ledger,
    record: &JobRecord,
    context: &Context,
) -> Result<Option<Cluster>, CommandError> {
    if record.state.is_final() || ledger.submission(record.id).await?.is_none() {
        return Ok(None);
    }
    if context.broker.url.is_none() {
        return Ok(Some(Cluster::Unnamed));
    }
    Ok(Some(match broker::connect(context).await {
        Ok(broker) => {
            // A broker that is short of memory says so to those who send it something.
            let _ = timeout(PATIENCE, catalog::hint(record, &broker)).await;
            catalog::broker_view(&broker, &record.pipeline)
                .await
                .map_or_else(
                    |error| Cluster::Unreachable(error.to_string()),
                    Cluster::Seen,
                )
        }
        Err(CommandError::Queue(error)) => Cluster::Unreachable(error.to_string()),
        Err(error) => return Err(error),
    }))
}
