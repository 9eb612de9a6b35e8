//! `drover create`, `update`, `delete`, `pause`, `resume` and `pipelines`: the registered pipelines.

use drover_shared::id::PipelineName;
use drover_shared::ledger::{Ledger, PipelineChange};
use serde_json::Value;
use tokio::time::timeout;

use crate::args::{
    Create, Delete, Format, GraphFormat, Pause, Pipelines, Resume, SpecFiles, Update,
};
use crate::commands::spec::sources::{self, PreparedPipeline};
use crate::commands::{Context, broker};
use crate::exit::Exit;
use crate::render;
use drover_core::catalog::{self, Registration};
use drover_core::triggers::{PipelineGraph, WaitReasons, overview};

pub(crate) async fn create(typed: &Create, context: &Context) -> anyhow::Result<Exit> {
    let Create::Pipeline(files) = typed;
    let done = "is registered; `drover serve` starts its jobs";
    put(files, PipelineChange::Create, done, context).await
}

pub(crate) async fn update(typed: &Update, context: &Context) -> anyhow::Result<Exit> {
    let Update::Pipeline(files) = typed;
    put(files, PipelineChange::Update, "has a new spec", context).await
}

pub(crate) async fn delete(typed: &Delete, context: &Context) -> anyhow::Result<Exit> {
    let Delete::Pipeline(named) = typed;
    let ledger = context.ledger().await?;
    ledger
        .change_pipeline(&named.name, &PipelineChange::Delete)
        .await?;
    for (record, _) in ledger.submitted(&named.name).await? {
        ledger.request_stop(record.id).await?;
    }
    delete_queues(&named.name, &ledger, context).await?;
    let output = context.output(named.name.as_str());
    context.console.message(format!(
        "pipeline {} is deleted; {output} stays",
        named.name
    ));
    Ok(Exit::Success)
}

/// Deletes the queues of the pipeline, if a broker is named and no process uses them. What is left is the work of `drover serve`.
async fn delete_queues(
    pipeline: &PipelineName,
    ledger: &Ledger,
    context: &Context,
) -> anyhow::Result<()> {
    let Some(broker) = broker::connect_if_named(context, ledger).await else {
        return Ok(());
    };
    let deleting = catalog::delete_idle_queues(ledger, &broker);
    let problem = match timeout(context.broker.timeout, deleting).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the broker does not answer".to_owned()),
    };
    if let Some(problem) = problem {
        context.console.message(format!(
            "the queues could not be deleted: {problem}; `drover serve` deletes them"
        ));
        return Ok(());
    }
    let notes = ledger.idle_queues().await?;
    if notes.iter().any(|note| note.pipeline == *pipeline) {
        context.console.message(format!(
            "the queues of {pipeline} are still in use; `drover serve` deletes them when its jobs and workers have ended"
        ));
    }
    Ok(())
}

pub(crate) async fn pause(typed: &Pause, context: &Context) -> anyhow::Result<Exit> {
    let Pause::Pipeline(named) = typed;
    change(
        &named.name,
        &PipelineChange::Pause,
        "is paused; a running job continues",
        context,
    )
    .await
}

pub(crate) async fn resume(typed: &Resume, context: &Context) -> anyhow::Result<Exit> {
    let Resume::Pipeline(named) = typed;
    change(
        &named.name,
        &PipelineChange::Resume,
        "starts jobs again",
        context,
    )
    .await
}

async fn change(
    name: &PipelineName,
    change: &PipelineChange,
    done: &str,
    context: &Context,
) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    ledger.change_pipeline(name, change).await?;
    context.console.message(format!("pipeline {name} {done}"));
    Ok(Exit::Success)
}

/// Creates or updates the pipelines of some specs: all of them, or none if a spec or the graph is invalid.
async fn put(
    typed: &SpecFiles,
    change: fn(Value) -> PipelineChange,
    done: &str,
    context: &Context,
) -> anyhow::Result<Exit> {
    let checked = sources::check(sources::read_all(&typed.files)?)?;
    checked.print_notes(context);
    let ledger = context.ledger().await?;
    let coming = checked.pipelines.into_iter();
    let coming: Vec<Registration> = coming
        .map(|PreparedPipeline { pipeline, spec }| Registration {
            pipeline,
            change: change(spec),
        })
        .collect();
    catalog::register(&ledger, &coming).await?;
    for Registration { pipeline, .. } in &coming {
        context
            .console
            .message(format!("pipeline {} {done}", pipeline.name));
    }
    Ok(Exit::Success)
}

pub(crate) async fn pipelines(typed: &Pipelines, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let pipelines = overview(&ledger, &WaitReasons::default(), |record| record).await?;
    let mut out = context.console.data();
    match (typed.graph, context.console.format) {
        (Some(GraphFormat::Dot), _) => out.lines(&PipelineGraph::of(&pipelines).dot())?,
        (Some(GraphFormat::Text), Format::Text) => {
            out.lines(&PipelineGraph::of(&pipelines).tree())?;
        }
        (Some(GraphFormat::Text), Format::Json) => out.json(&PipelineGraph::of(&pipelines))?,
        (None, Format::Json) => pipelines.iter().try_for_each(|each| out.json(each))?,
        (None, Format::Text) if pipelines.is_empty() => context.console.message(
            "no pipeline is registered here; `drover create pipeline -f SPEC` registers one",
        ),
        (None, Format::Text) => {
            let zone = Context::zone();
            out.lines(&render::pipelines(&pipelines, &zone, context.console.out))?;
        }
    }
    out.finish()?;
    Ok(Exit::Success)
}
