//! What a person is told of a pipeline.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// How the pipeline is, as its operator saw it last.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipelineStatus {
    /// The generation of the spec that all of this is about.
    pub observed_generation: Option<i64>,
    /// What holds and what doesn't, each with the reason: `Accepted`, `Registered`, `BrokerReachable`, `Ready`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// Workers that there are, ready or not.
    pub replicas: Option<i32>,
    /// Workers that there should be.
    pub wanted_replicas: Option<i32>,
    /// Workers that take datums.
    pub ready_replicas: Option<i32>,
    /// Datums still to be done, of those known.
    pub outstanding: Option<i64>,
    /// Jobs that have not ended.
    pub unfinished_jobs: Option<i64>,
    /// The job that was published last.
    pub last_job: Option<LastJob>,
    /// Since when there has been nothing to do; the grace of a standby pipeline counts from here.
    #[schemars(schema_with = "time")]
    pub idle_since: Option<Time>,
}

/// The job that was published last.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastJob {
    /// Its id, for `drover job ID`.
    pub id: String,
    /// Where it stands: `starting`, `running`, `publishing`, `egressing`, `success`, `failure` or `killed`.
    pub state: String,
    /// Why it failed or was killed.
    pub reason: Option<String>,
}

fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// As the API conventions have it.
fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": { "type": "string", "maxLength": 316 },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "reason": { "type": "string", "minLength": 1, "maxLength": 1024 },
                "message": { "type": "string", "maxLength": 32768 },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
            },
        },
    })
}
