//! Registered pipelines made, changed and ended.

use std::time::Duration;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::PipelineChange;
use drover_shared::pipeline::{self, Parsed, Pipeline as Meant};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::jobs;
use super::pipelines::{self, PipelinePath};
use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::route::{Ask, Body, Nothing};
use drover_core::catalog;
use drover_core::triggers::PipelineOverview;

/// How long a job that is wanted may take to be made, before the answer goes without its id.
const JOB_TIME: Duration = Duration::from_secs(5);
/// Between two looks for it.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The spec of one pipeline, as it was sent.
pub(crate) struct SpecBody(Parsed);

impl Body for SpecBody {
    fn read(kind: &str, bytes: &[u8]) -> Result<Self, Error> {
        let file = match kind {
            "application/json" | "" => "body.json",
            "application/yaml" | "application/x-yaml" | "text/yaml" => "body.yaml",
            other => {
                let advice = "send application/json or application/yaml";
                return Err(Error::invalid(format!("a spec is not {other:?}; {advice}")));
            }
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::unprocessable("the spec is not UTF-8 text"))?;
        let mut specs = pipeline::parse(file, text)?;
        match (specs.pop(), specs.is_empty()) {
            (Some(spec), true) => Ok(Self(spec)),
            _ => Err(Error::unprocessable("send one spec at a time")),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)> {
        let about = "A pipeline spec; `drover schema` prints the schema of it.";
        let schema = json!({ "type": "object", "description": about });
        Some((&["application/json", "application/yaml"], schema))
    }
}

pub(crate) async fn create(
    Ask { api, body, .. }: Ask<Nothing, Nothing, SpecBody>,
) -> Result<PipelineOverview, Error> {
    let Parsed { pipeline, spec, .. } = body.0;
    refuse_circles(&api, &pipeline).await?;
    change(&api, &pipeline.name, &PipelineChange::Create(spec)).await
}

pub(crate) async fn update(
    Ask {
        api, path, body, ..
    }: Ask<PipelinePath, Nothing, SpecBody>,
) -> Result<PipelineOverview, Error> {
    let Parsed { pipeline, spec, .. } = body.0;
    if pipeline.name != path.name {
        let (one, other) = (&pipeline.name, &path.name);
        return Err(Error::unprocessable(format!(
            "the spec is of {one}, and the path names {other}; a pipeline keeps its name"
        )));
    }
    refuse_circles(&api, &pipeline).await?;
    change(&api, &path.name, &PipelineChange::Update(spec)).await
}

pub(crate) async fn pause(
    Ask { api, path, .. }: Ask<PipelinePath>,
) -> Result<PipelineOverview, Error> {
    change(&api, &path.name, &PipelineChange::Pause).await
}

pub(crate) async fn resume(
    Ask { api, path, .. }: Ask<PipelinePath>,
) -> Result<PipelineOverview, Error> {
    change(&api, &path.name, &PipelineChange::Resume).await
}

async fn change(
    api: &Api,
    name: &PipelineName,
    change: &PipelineChange,
) -> Result<PipelineOverview, Error> {
    api.ledger().change_pipeline(name, change).await?;
    pipelines::named(api, name).await
}

pub(crate) async fn delete(Ask { api, path, .. }: Ask<PipelinePath>) -> Result<Nothing, Error> {
    let ledger = api.ledger();
    ledger
        .change_pipeline(&path.name, &PipelineChange::Delete)
        .await?;
    for (record, _) in ledger.submitted(&path.name).await? {
        jobs::stop_job(&api, record.id).await?;
    }
    Ok(Nothing {})
}

/// A job that is wanted.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Wanted {
    /// The job; null if it was not made within a few seconds, as when the pipeline waits for its inputs.
    job: Option<JobId>,
    /// Without a job: what keeps the pipeline from it as far as is known here, and where to look.
    why: Option<String>,
}

impl Wanted {
    fn not_yet(api: &Api, name: &PipelineName) -> Self {
        let known = match api.waiting().why(name) {
            Some(why) => format!("{name} waits: {why}"),
            None => format!(
                "{name} has started no job yet; its service may be busy, or elsewhere, or not running"
            ),
        };
        let look =
            format!("the wish is kept, and GET /api/v1/pipelines/{name} tells how it stands");
        Self {
            job: None,
            why: Some(format!("{known}; {look}")),
        }
    }
}

pub(crate) async fn run(Ask { api, path, .. }: Ask<PipelinePath>) -> Result<Wanted, Error> {
    let before = api.ledger().unfolded(&path.name).await?;
    api.ledger()
        .change_pipeline(&path.name, &PipelineChange::RequestRun)
        .await?;
    let deadline = Instant::now() + JOB_TIME;
    while Instant::now() < deadline {
        let now = api.ledger().unfolded(&path.name).await?;
        if let Some(job) = now.into_iter().find(|job| !before.contains(job)) {
            return Ok(Wanted {
                job: Some(job),
                why: None,
            });
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(Wanted::not_yet(&api, &path.name))
}

/// Refuses a pipeline that would, by way of others, wait for itself.
async fn refuse_circles(api: &Api, new: &Meant) -> Result<(), Error> {
    let all = catalog::with_registered(api.ledger(), &[new]).await?;
    match catalog::order(&all.iter().collect::<Vec<_>>()) {
        Ok(_) => Ok(()),
        Err(circle) => Err(Error::conflict(circle.to_string())),
    }
}
