//! The status of a pipeline.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// The state of the pipeline at the operator's last reconciliation.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PipelineStatus {
    /// Generation of the spec to which the status belongs.
    pub observed_generation: Option<i64>,
    /// Time at which the operator looked last, updated about every 30 seconds; an older one means that no operator runs.
    #[schemars(schema_with = "time")]
    pub observed_at: Option<Time>,
    /// The conditions `Accepted`, `Registered`, `BrokerReachable`, `Ready` and `JobSucceeded`, each with a reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions")]
    pub conditions: Vec<Condition>,
    /// The label selector of the workers, for the scale subresource.
    pub selector: Option<String>,
    /// Existing workers, ready or not.
    pub replicas: Option<i32>,
    /// Desired workers.
    pub desired_replicas: Option<i32>,
    /// Workers that are ready to take datums.
    pub ready_replicas: Option<i32>,
    /// Desired large workers, with `max_memory`; absent if there never were any.
    pub large_replicas: Option<i32>,
    /// Known datums that have not finished.
    pub outstanding: Option<i64>,
    /// Jobs that have not finished.
    pub unfinished_jobs: Option<i64>,
    /// The job that was submitted last.
    pub last_job: Option<LastJob>,
    /// Time since which no job has been unfinished; the grace of a standby pipeline counts from here.
    #[schemars(schema_with = "time")]
    pub idle_since: Option<Time>,
}

/// The job that was submitted last.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LastJob {
    /// The job's id, for `drover job ID`.
    pub id: String,
    /// The job's state: `starting`, `running`, `publishing`, `egressing`, `success`, `failure` or `killed`.
    pub state: String,
    /// Ended datums and all datums that are known, for example `3/10`.
    pub completions: Option<String>,
    /// The most memory of a datum, for example `412Mi`.
    pub memory_peak: Option<String>,
    /// Reason of a failed or killed job.
    pub reason: Option<String>,
}

fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// The schema of conditions by the Kubernetes API conventions.
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
