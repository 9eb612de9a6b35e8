//! Kubernetes fields as typed: checked here, kept for the operator.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::Quantity;

/// Resources of a worker pod.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Resources {
    /// CPUs.
    #[schemars(example = 0.5, range(min = 0, max = 100_000))]
    pub(in crate::pipeline) cpu: Option<f64>,
    /// Bytes of memory.
    #[schemars(example = &"512Mi")]
    pub(in crate::pipeline) memory: Option<Quantity>,
    /// Bytes of ephemeral storage.
    #[schemars(example = &"10Gi")]
    pub(in crate::pipeline) disk: Option<Quantity>,
    /// Graphics processors.
    pub(in crate::pipeline) gpu: Option<Gpu>,
}

/// Graphics processors.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Gpu {
    /// The name of the resource. Required.
    #[serde(rename = "type")]
    #[schemars(example = &"nvidia.com/gpu")]
    pub(in crate::pipeline) kind: Option<String>,
    /// How many. Required.
    #[schemars(example = 1)]
    pub(in crate::pipeline) number: Option<u32>,
}

/// Placement and priority of worker pods.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Scheduling {
    /// Required labels of a node.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::pipeline) node_selector: BTreeMap<String, String>,
    /// The priority class of the pods.
    #[schemars(example = &"batch")]
    pub(in crate::pipeline) priority_class_name: Option<String>,
}

/// A taint tolerated by worker pods.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Toleration {
    /// The key of the taint; without a key, `operator` must be `Exists`, and every taint is tolerated.
    #[schemars(example = &"dedicated")]
    pub(in crate::pipeline) key: Option<String>,
    /// How the taint is compared.
    #[schemars(extend("default" = "Equal"))]
    pub(in crate::pipeline) operator: Option<Operator>,
    /// The value of the taint; not with `Exists`.
    #[schemars(example = &"batch")]
    pub(in crate::pipeline) value: Option<String>,
    /// The tolerated effect; by default all effects.
    pub(in crate::pipeline) effect: Option<Effect>,
    /// For how long a `NoExecute` taint is tolerated, in seconds; by default for ever.
    #[schemars(example = 300)]
    pub(in crate::pipeline) seconds: Option<i64>,
}

/// How a taint is compared.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub(in crate::pipeline) enum Operator {
    /// The taint has the given key and value.
    Equal,
    /// The taint has the key.
    Exists,
}

/// The effect of a taint on pods without a matching toleration.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub(in crate::pipeline) enum Effect {
    /// Any of the following.
    AllEffects,
    /// The pods are not placed on the node.
    NoSchedule,
    /// The pods are placed on the node only as a last resort.
    PreferNoSchedule,
    /// The pods are not placed on the node, and running pods are evicted.
    NoExecute,
}
