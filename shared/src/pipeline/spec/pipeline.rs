//! The top level of a spec.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::input::one_or_many;
use super::{
    Duration, FailureLimit, Input, Notification, Quantity, Resources, Scheduling, Toleration,
    Transform,
};
use crate::pipeline::{OutputConflict, Priority, RateLimit, StragglerRule};

/// A pipeline: a command, the files it runs over, and settings.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the reference names it so")]
pub(in crate::pipeline) struct Pipeline {
    /// The identity of the pipeline. Required.
    pub(in crate::pipeline) pipeline: Option<Identity>,
    /// The purpose of the pipeline, for people.
    #[schemars(example = &"Counts the words of each text")]
    pub(in crate::pipeline) description: Option<String>,
    /// Labels and annotations for the worker pods.
    pub(in crate::pipeline) metadata: Option<Metadata>,
    /// The command and its surroundings. Required.
    pub(in crate::pipeline) transform: Option<Transform>,
    /// Where datums come from. Required.
    pub(in crate::pipeline) input: Option<Input>,
    /// How many workers. By default one for each node of the cluster; `drover run` takes the number of CPUs.
    pub(in crate::pipeline) parallelism_spec: Option<Parallelism>,
    /// Attempts in all for each datum.
    #[schemars(extend("default" = 3), example = 5)]
    pub(in crate::pipeline) datum_tries: Option<u32>,
    /// Attempts of a datum that may end for want of memory, each with twice as much as the last; they do not count as `datum_tries`.
    #[schemars(extend("default" = 3), example = 5)]
    pub(in crate::pipeline) memory_tries: Option<u32>,
    /// Datums that may fail before the job is stopped: a number, or a share of all datums. No limit by default.
    #[schemars(example = 10, example = &"5%")]
    pub(in crate::pipeline) max_failures: Option<FailureLimit>,
    /// True to go on although the first datums of a job all fail for one cause.
    #[schemars(extend("default" = false))]
    pub(in crate::pipeline) keep_going: Option<bool>,
    /// The class of the pipeline where several share workers: of datums that are ready, those of a higher class go first.
    #[schemars(extend("default" = "normal"))]
    pub(in crate::pipeline) priority: Option<Priority>,
    /// The share of the pipeline among pipelines of its class that share workers, as a weight.
    #[schemars(extend("default" = 1), range(min = 1, max = 100), example = 4)]
    pub(in crate::pipeline) share: Option<u32>,
    /// Limits of the datums that run or begin, over all workers together; all of them hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::pipeline) limits: Vec<Limit>,
    /// The rule for a datum that runs for more than three times its predicted time while no other datum waits. With `copy`, a second copy runs on another worker, and the first to end counts: only for commands that may run twice at the same time.
    #[schemars(extend("default" = "wait"))]
    pub(in crate::pipeline) stragglers: Option<StragglerRule>,
    /// The most datums of a job; a job with more of them is refused.
    #[schemars(extend("default" = 10_000_000), range(min = 1), example = 50_000_000)]
    pub(in crate::pipeline) max_datums: Option<u64>,
    /// Time limit of an attempt, counted from the start of the command; afterwards the command is killed and the attempt has failed. No limit by default.
    #[schemars(example = &"5m")]
    pub(in crate::pipeline) datum_timeout: Option<Duration>,
    /// Time limit of a whole job, counted from its start; afterwards the job is killed. No limit by default.
    #[schemars(example = &"2h")]
    pub(in crate::pipeline) job_timeout: Option<Duration>,
    /// Which datums of earlier jobs count as done.
    #[schemars(extend("default" = "until_success"))]
    pub(in crate::pipeline) reprocess_spec: Option<Reprocess>,
    /// Datums staged ahead of processing by a worker, for each slot; 0 for datums that take minutes.
    #[schemars(extend("default" = 2), range(max = 1000))]
    pub(in crate::pipeline) max_queue_size: Option<u32>,
    /// The number of datums in a message. By default one.
    pub(in crate::pipeline) datum_set_spec: Option<DatumSet>,
    /// The older name of `datum_set_spec`.
    pub(in crate::pipeline) chunk_spec: Option<DatumSet>,
    /// A path or a glob, or a list of them: files and directories whose content is part of the identity of the work, such as imported modules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many", example = &"lib/**.py", example = ["lib", "model.bin"])]
    pub(in crate::pipeline) code: Vec<String>,
    /// Finished jobs and logs to keep.
    pub(in crate::pipeline) retention: Option<Retention>,
    /// The rule for paths written by two datums.
    #[schemars(extend("default" = "concat"))]
    pub(in crate::pipeline) output_conflict: Option<OutputConflict>,
    /// Where to copy the output after each successful job.
    pub(in crate::pipeline) egress: Option<Egress>,
    /// Receivers that are told of the success, the failure or the standstill of a job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::pipeline) notify: Vec<Notification>,
    /// Keep no worker pods while the pipeline is idle.
    pub(in crate::pipeline) standby: Option<bool>,
    /// How long to be idle before the pods go; sets `standby`.
    #[schemars(extend("default" = "60s"), example = &"10m")]
    pub(in crate::pipeline) standby_after: Option<Duration>,
    /// Let the number of workers follow the outstanding datums, from 1 (0 with `standby`) to the number in `parallelism_spec`.
    pub(in crate::pipeline) autoscaling: Option<bool>,
    /// Resource requests of a worker pod.
    pub(in crate::pipeline) resource_requests: Option<Resources>,
    /// Resource limits of a worker pod.
    pub(in crate::pipeline) resource_limits: Option<Resources>,
    /// Memory of the worker pods for datums that need more than `resource_limits.memory`. They start when a datum needs one, and end when none does. None by default.
    #[schemars(example = &"64Gi")]
    pub(in crate::pipeline) max_memory: Option<Quantity>,
    /// Placement and priority of worker pods.
    pub(in crate::pipeline) scheduling_spec: Option<Scheduling>,
    /// Taints tolerated by worker pods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::pipeline) tolerations: Vec<Toleration>,
    /// A JSON merge patch for the spec of the worker pod, as a text.
    #[schemars(example = &r#"{"hostNetwork": true}"#)]
    pub(in crate::pipeline) pod_spec: Option<String>,
    /// A JSON Patch (a list of operations) for the spec of the worker pod, as a text; applied after `pod_spec`.
    #[schemars(example = &r#"[{"op": "add", "path": "/hostNetwork", "value": true}]"#)]
    pub(in crate::pipeline) pod_patch: Option<String>,
}

/// A limit over all workers together: one of the fields.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Limit {
    /// The most datums of the pipeline that run at the same time.
    #[schemars(range(min = 1), example = 20)]
    pub(in crate::pipeline) running: Option<u32>,
    /// The most datums of the pipeline that begin within a second (`s`), a minute (`min`), an hour (`h`) or a day (`d`).
    #[schemars(example = &"100/min")]
    pub(in crate::pipeline) rate: Option<RateLimit>,
    /// The name of a limit of the store, which pipelines share; `drover limit` defines it.
    #[schemars(example = &"gpu-licence")]
    pub(in crate::pipeline) r#use: Option<String>,
}

/// Finished jobs and logs to keep.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Retention {
    /// The number of finished jobs to keep.
    #[schemars(extend("default" = 50), range(min = 1), example = 500)]
    pub(in crate::pipeline) jobs: Option<u32>,
    /// The age at which logs of successful datums are removed.
    #[schemars(extend("default" = "30d"), example = &"7d")]
    pub(in crate::pipeline) logs: Option<Duration>,
    /// The age at which logs of failed and recovered datums are removed.
    #[schemars(extend("default" = "90d"), example = &"365d")]
    pub(in crate::pipeline) failed_logs: Option<Duration>,
}

/// The identity of a pipeline.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Identity {
    /// The identity of the pipeline and the folder of its output: 1 to 63 letters, digits, `-` or `_`, the first character a letter or digit. Required.
    #[schemars(example = &"word-count")]
    pub(in crate::pipeline) name: Option<String>,
}

/// Labels and annotations for the worker pods.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Metadata {
    /// Annotations of the worker pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::pipeline) annotations: BTreeMap<String, String>,
    /// Labels of the worker pods.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::pipeline) labels: BTreeMap<String, String>,
}

/// How many workers: `constant` or `coefficient`, not both.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Parallelism {
    /// A fixed number of workers; 0 means not given.
    #[schemars(example = 4, range(max = 100_000))]
    pub(in crate::pipeline) constant: Option<u32>,
    /// Workers for each eligible node: max(1, floor(coefficient × nodes)); 0 means not given.
    #[schemars(example = 0.5, range(min = 0, max = 100_000))]
    pub(in crate::pipeline) coefficient: Option<f64>,
}

/// Which datums of earlier jobs count as done.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::pipeline) enum Reprocess {
    /// Successful datums.
    UntilSuccess,
    /// None: every job does everything.
    EveryJob,
}

/// The number of datums in a message.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct DatumSet {
    /// Datums in each set; 0 means not given.
    #[schemars(example = 100)]
    pub(in crate::pipeline) number: Option<u32>,
    /// A set is closed once its inputs hold the number of bytes; 0 means not given. With the field, `number` is not
    /// used.
    #[schemars(example = 100_000_000)]
    pub(in crate::pipeline) size_bytes: Option<u64>,
    /// Approximate number of sets for each worker; 0 means not given. Not combinable with the other fields.
    #[schemars(example = 4)]
    pub(in crate::pipeline) per_worker: Option<u32>,
}

/// Where to copy the output after each successful job.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Egress {
    /// A bucket with an optional prefix.
    #[serde(rename = "URL")]
    #[schemars(example = &"s3://results/word-count")]
    pub(in crate::pipeline) url: Option<String>,
    /// The newer way to write `URL`.
    pub(in crate::pipeline) object_storage: Option<ObjectStorage>,
}

/// A place in a bucket.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct ObjectStorage {
    /// A bucket with an optional prefix.
    #[schemars(example = &"gs://results/word-count")]
    pub(in crate::pipeline) url: Option<String>,
}
