//! Registration of pipelines: create, update, delete, pause, resume and run.

use std::time::Duration;

use drover_shared::id::{IdempotencyKey, JobId, PipelineName};
use drover_shared::ledger::PipelineChange;
use drover_shared::pipeline::{self, Finding, Parsed, Pipeline};
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::list::{self, PipelinePath};
use crate::resources::jobs;
use crate::routing::api::Api;
use crate::routing::body::{Body, Empty};
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;
use drover_core::catalog::{self, Registration};
use drover_core::triggers::PipelineOverview;

/// Time to wait for a requested job before the answer is sent without an id.
const NEW_JOB_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval at which the job is polled for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A body with the spec of one pipeline.
pub(crate) struct SpecBody(Parsed);

impl Body for SpecBody {
    fn read(kind: &str, bytes: &[u8]) -> Result<Self, Error> {
        let file = match kind {
            "application/json" | "" => "body.json",
            "application/yaml" | "application/x-yaml" | "text/yaml" => "body.yaml",
            other => {
                let advice = "send application/json or application/yaml";
                return Err(Error::invalid(format!(
                    "unknown media type {other:?} of a spec; {advice}"
                )));
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

    fn schema(generator: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)> {
        Some((
            &["application/json", "application/yaml"],
            spec_schema(generator),
        ))
    }
}

/// The schema of specs, as `drover schema` prints the schema, with the definitions in the document.
fn spec_schema(generator: &mut SchemaGenerator) -> Value {
    let mut schema = pipeline::schema();
    if let Some(Value::Object(definitions)) = schema
        .as_object_mut()
        .and_then(|schema| schema.remove("$defs"))
    {
        for (name, mut definition) in definitions {
            refer_to_components(&mut definition);
            generator
                .definitions_mut()
                .entry(format!("Spec{name}"))
                .or_insert(definition);
        }
    }
    refer_to_components(&mut schema);
    generator
        .definitions_mut()
        .entry(SPEC.to_owned())
        .or_insert(schema);
    json!({ "$ref": format!("#/components/schemas/{SPEC}") })
}

/// Name of the schema of specs in the document.
const SPEC: &str = "Spec";

/// Changes references to the definitions of the schema of specs into references to the schemas of the document.
fn refer_to_components(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.remove("$schema");
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/components/schemas/Spec{name}");
            }
            fields.values_mut().for_each(refer_to_components);
        }
        Value::Array(items) => items.iter_mut().for_each(refer_to_components),
        _ => {}
    }
}

/// A valid spec.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ValidSpec {
    /// Name of the pipeline.
    pipeline: PipelineName,
    /// The normalised spec.
    spec: Value,
    /// Fields that are accepted and not used.
    notes: Vec<Finding>,
}

/// Checks a spec without registering it; the error of an invalid spec has all findings with lines.
pub(crate) async fn validate(
    ApiRequest { body, .. }: ApiRequest<Empty, Empty, SpecBody>,
) -> Result<ValidSpec, Error> {
    let Parsed {
        pipeline,
        spec,
        notes,
    } = body.0;
    Ok(ValidSpec {
        pipeline: pipeline.name,
        spec,
        notes,
    })
}

pub(crate) async fn create(
    ApiRequest { api, body, .. }: ApiRequest<Empty, Empty, SpecBody>,
) -> Result<PipelineOverview, Error> {
    let Parsed { pipeline, spec, .. } = body.0;
    register(&api, pipeline, PipelineChange::Create(spec)).await
}

pub(crate) async fn update(
    ApiRequest {
        api, path, body, ..
    }: ApiRequest<PipelinePath, Empty, SpecBody>,
) -> Result<PipelineOverview, Error> {
    let Parsed { pipeline, spec, .. } = body.0;
    if pipeline.name != path.name {
        let (one, other) = (&pipeline.name, &path.name);
        return Err(Error::unprocessable(format!(
            "the spec is of {one}, and the path names {other}; a pipeline keeps its name"
        )));
    }
    register(&api, pipeline, PipelineChange::Update(spec)).await
}

pub(crate) async fn pause(
    ApiRequest { api, path, .. }: ApiRequest<PipelinePath>,
) -> Result<PipelineOverview, Error> {
    change(&api, &path.name, &PipelineChange::Pause).await
}

pub(crate) async fn resume(
    ApiRequest { api, path, .. }: ApiRequest<PipelinePath>,
) -> Result<PipelineOverview, Error> {
    change(&api, &path.name, &PipelineChange::Resume).await
}

async fn change(
    api: &Api,
    name: &PipelineName,
    change: &PipelineChange,
) -> Result<PipelineOverview, Error> {
    api.ledger().change_pipeline(name, change).await?;
    list::named(api, name).await
}

pub(crate) async fn delete(
    ApiRequest { api, path, .. }: ApiRequest<PipelinePath>,
) -> Result<Empty, Error> {
    let ledger = api.ledger();
    ledger
        .change_pipeline(&path.name, &PipelineChange::Delete)
        .await?;
    for (record, _) in ledger.submitted(&path.name).await? {
        jobs::stop_job(&api, record.id).await?;
    }
    Ok(Empty {})
}

/// Answer to a requested run.
#[derive(JsonSchema, Serialize)]
pub(crate) struct RequestedRun {
    /// The job; null if no job started within a few seconds, for example because the pipeline waits for inputs.
    job: Option<JobId>,
    /// Without a job: the reason as far as known here, and where to look.
    why: Option<String>,
}

impl RequestedRun {
    fn not_yet(api: &Api, name: &PipelineName) -> Self {
        let known = match api.waiting().why(name) {
            Some(why) => format!("{name} waits: {why}"),
            None => {
                format!("{name} has started no job yet; its service may be busy or not running")
            }
        };
        let look =
            format!("the request is recorded, and GET /api/v1/pipelines/{name} shows its progress");
        Self {
            job: None,
            why: Some(format!("{known}; {look}")),
        }
    }
}

pub(crate) async fn run(
    ApiRequest { api, path, key, .. }: ApiRequest<PipelinePath>,
) -> Result<RequestedRun, Error> {
    if let Some(key) = key
        && let Some(job) = run_of_key(&api, &path.name, &key).await?
    {
        return Ok(RequestedRun {
            job: Some(job),
            why: None,
        });
    }
    let before = api.ledger().unfolded(&path.name).await?;
    api.ledger()
        .change_pipeline(&path.name, &PipelineChange::RequestRun)
        .await?;
    let deadline = Instant::now() + NEW_JOB_TIMEOUT;
    while Instant::now() < deadline {
        let now = api.ledger().unfolded(&path.name).await?;
        if let Some(job) = now.into_iter().find(|job| !before.contains(job)) {
            return Ok(RequestedRun {
                job: Some(job),
                why: None,
            });
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(RequestedRun::not_yet(&api, &path.name))
}

/// The job that the first request with the key led to; none if there is no such job yet. The key is kept with an id of the
/// time of its first request, and the next job of the pipeline has a later id.
async fn run_of_key(
    api: &Api,
    name: &PipelineName,
    key: &IdempotencyKey,
) -> Result<Option<JobId>, Error> {
    let own = JobId::generate();
    let ledger = api.ledger();
    let asked = ledger.jobs_of_key(key, vec![own]).await?;
    let asked = asked.first().copied().unwrap_or(own);
    if asked == own {
        return Ok(None);
    }
    for job in ledger.jobs_after(name, asked).await? {
        if api.readable(job).await?.is_some() {
            return Ok(Some(job));
        }
    }
    Ok(None)
}

/// Creates or updates a pipeline, unless it would be in a circle.
async fn register(
    api: &Api,
    pipeline: Pipeline,
    change: PipelineChange,
) -> Result<PipelineOverview, Error> {
    let name = pipeline.name.clone();
    let registration = Registration { pipeline, change };
    catalog::register(api.ledger(), &[registration]).await?;
    list::named(api, &name).await
}
