//! The resource type.

use std::borrow::Cow;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::PipelineStatus;
use super::{rules, schema};

/// The spec of a pipeline as the user applied it: checked against the schema, not yet parsed.
#[derive(CustomResource, Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[kube(
    group = "drover.dev",
    version = "v1alpha1",
    kind = "Pipeline",
    plural = "pipelines",
    namespaced,
    status = "PipelineStatus",
    derive = "PartialEq",
    shortname = "dpl",
    category = "all",
    category = "drover",
    doc = "A command that Drover runs over files, on as many workers as it asks for.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    validation = Rule::new(rules::NAME.0).message(rules::NAME.1),
    printcolumn(name = "Status", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.readyReplicas"),
    printcolumn(name = "Wanted", type_ = "integer", json_path = ".status.desiredReplicas"),
    printcolumn(name = "Outstanding", type_ = "integer", json_path = ".status.outstanding"),
    printcolumn(name = "Last job", type_ = "string", json_path = ".status.lastJob.state"),
    printcolumn(name = "Completions", type_ = "string", json_path = ".status.lastJob.completions"),
    printcolumn(name = "Status age", type_ = "date", json_path = ".status.observedAt"),
    printcolumn(name = "Memory peak", type_ = "string", json_path = ".status.lastJob.memoryPeak", priority = 1),
    printcolumn(name = "Memory limit", type_ = "string", json_path = ".spec.resource_limits.memory", priority = 1),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.transform.image", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
)]
#[serde(transparent)]
pub struct PipelineSpec(pub Value);

impl JsonSchema for PipelineSpec {
    fn schema_name() -> Cow<'static, str> {
        "PipelineSpec".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema::structural()
    }
}
