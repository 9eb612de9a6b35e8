//! `drover explain`: explains why a job failed or makes no progress, or why a registered pipeline starts no job.

use std::time::Duration;

use drover_shared::id::PipelineName;
use drover_shared::job::JobRecord;
use drover_shared::ledger::{Ledger, SharedLimit};
use drover_shared::pipeline::{self, Limit};
use drover_shared::process::{check_writable, process_name};
use drover_shared::queue::rabbitmq::RabbitMq;
use drover_shared::queue::{Queue, QueueError};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::args::{Explain, Format};
use crate::commands::broker;
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render::{self, ClusterView, ExplainedJob};
use drover_core::catalog::{self, ClusterError};
use drover_core::triggers::{WaitReasons, next_tick, overview};

pub(crate) async fn explain(typed: &Explain, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    if typed.datum.is_none()
        && let Some(sentences) = explain_pipeline(&ledger, &typed.job).await?
    {
        let json = json!({ "pipeline": typed.job, "explanation": sentences });
        return print(&json, &sentences, context);
    }
    let id = ledger.resolve(&typed.job).await?;
    let record = catalog::record(&ledger, id).await?;
    if let Some(index) = typed.datum {
        let sentences = explain_datum(&ledger, &record, index).await?;
        let json = json!({ "job": id, "datum": index, "explanation": sentences });
        return print(&json, &sentences, context);
    }
    let failures = catalog::failures(&ledger, &record).await?;
    let blocked_by = catalog::running_before(&ledger, &record).await?;
    let cluster = cluster_view(&ledger, &record, context).await?;
    let store_problem = match &cluster {
        None => None,
        Some(_) => check_writable(ledger.store(), &process_name()).await.err(),
    };
    let (count, mut parked) = ledger.dead_letters(&record.pipeline, 1).await?;
    let sentences = render::explain(&ExplainedJob {
        record: &record,
        failures: &failures,
        stop_requested: ledger.stop_requested(id).await?,
        blocked_by: blocked_by.as_ref(),
        cluster,
        store_problem: store_problem.map(|error| error.to_string()),
        parked: (count, parked.pop()),
        limits: &limits_of(&ledger, &record).await?,
        protections: &ledger.protections(id).await?,
        now: Timestamp::now(),
    });
    let json = json!({ "job": id, "explanation": sentences });
    print(&json, &sentences, context)
}

/// The limits of a running job's pipeline; a defined shared limit comes with its record.
async fn limits_of(
    ledger: &Ledger,
    record: &JobRecord,
) -> anyhow::Result<Vec<(Limit, Option<SharedLimit>)>> {
    if record.state.is_final() {
        return Ok(Vec::new());
    }
    // An invalid spec is the leader's to tell of.
    let spec = ledger.spec(record.id).await?;
    let limits = pipeline::from_value(&spec).map_or_else(|_| Vec::new(), |spec| spec.limits);
    let mut found = Vec::new();
    for limit in limits {
        let shared = match &limit {
            Limit::Named(name) => ledger.shared_limit(name).await?,
            Limit::Running(_) | Limit::Rate(_) => None,
        };
        found.push((limit, shared));
    }
    Ok(found)
}

fn print(json: &Value, sentences: &[String], context: &Context) -> anyhow::Result<Exit> {
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(json)?,
        Format::Text => out.lines(sentences)?,
    }
    out.finish()?;
    Ok(Exit::Success)
}

/// Explains a datum of a job.
async fn explain_datum(
    ledger: &Ledger,
    record: &JobRecord,
    index: u64,
) -> anyhow::Result<Vec<String>> {
    let segments = ledger.segments(record.id).await?;
    let Some(segment) = segments.into_iter().find(|it| it.contains(index)) else {
        return Err(UsageError::NoDatum {
            job: record.id,
            datum: index.to_string(),
        }
        .into());
    };
    let verdicts = ledger.verdicts(record.id, segment).await?;
    let rows = catalog::datum_rows(ledger, record.id, segment, verdicts).await?;
    let row = rows.into_iter().find(|row| row.datum.index == index);
    let Some(row) = row else {
        let (job, datum) = (record.id, index.to_string());
        return Err(UsageError::NoDatum { job, datum }.into());
    };
    let model = ledger.usage_model(&record.pipeline).await?;
    Ok(render::explain_datum(&row, &model))
}

/// Explains a registered pipeline; none if `typed` is not the name of one.
async fn explain_pipeline(ledger: &Ledger, typed: &str) -> anyhow::Result<Option<Vec<String>>> {
    let Ok(name) = typed.parse::<PipelineName>() else {
        return Ok(None);
    };
    let Some(registered) = ledger.registered(&name).await? else {
        return Ok(None);
    };
    // An invalid spec has no known clock.
    let tick = match pipeline::from_value(&registered.spec) {
        Ok(pipeline) => next_tick(&pipeline, registered.created, ledger.store()).await?,
        Err(_) => None,
    };
    let all = overview(ledger, &WaitReasons::default(), |record| record).await?;
    let found = all.iter().find(|each| each.pipeline == name);
    Ok(found.map(|found| render::explain_pipeline(found, &all, tick)))
}

/// Time for a broker to report an alarm, and for a queue to answer.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// State of the cluster for an active job on the broker.
async fn cluster_view(
    ledger: &Ledger,
    record: &JobRecord,
    context: &Context,
) -> anyhow::Result<Option<ClusterView>> {
    if record.state.is_final() || ledger.submission(record.id).await?.is_none() {
        return Ok(None);
    }
    if context.broker.url.is_none() {
        return Ok(Some(ClusterView::Unnamed));
    }
    Ok(Some(match broker::connect_to_look(context, ledger).await {
        Ok(broker) => {
            // A broker that is short of memory reports the block only to publishers.
            let _ = timeout(BROKER_TIMEOUT, catalog::hint(record, &broker)).await;
            look(&broker, ledger, &record.pipeline).await?
        }
        Err(error) => match error.downcast::<QueueError>() {
            Ok(error) => ClusterView::Unreachable(error.to_string()),
            Err(error) => return Err(error),
        },
    }))
}

/// Looks at the queues of the pipeline. A broker without a majority of its nodes counts no consumer, and so does one that
/// has none, so a queue without consumers is asked for a message.
async fn look(
    broker: &RabbitMq,
    ledger: &Ledger,
    pipeline: &PipelineName,
) -> anyhow::Result<ClusterView> {
    let view = match timeout(
        BROKER_TIMEOUT,
        catalog::broker_view(broker, ledger, pipeline),
    )
    .await
    {
        Ok(Ok(view)) => view,
        Ok(Err(ClusterError::Store(error))) => return Err(error.into()),
        Ok(Err(ClusterError::Queue(error))) => {
            return Ok(ClusterView::Unreachable(error.to_string()));
        }
        Err(_) => {
            let problem = format!("no answer about the queues within {BROKER_TIMEOUT:?}");
            return Ok(ClusterView::Unreachable(problem));
        }
    };
    let dead = Queue::Dead(pipeline.clone());
    if view.coordinators == 0 && !broker.answers(&dead, BROKER_TIMEOUT).await {
        return Ok(ClusterView::Silent);
    }
    Ok(ClusterView::Seen(view))
}
