//! `pod_spec` and `pod_patch`: what a person changes about the pod, in this order.

use json_patch::Patch;
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::Unmakeable;
use crate::wanted::Pods;

/// The pod as the person wants it. That it still is one, is checked: an API server would say so less clearly, and
/// only when it is too late to blame the spec.
pub(super) fn patched(mut pod: Value, pods: &Pods) -> Result<Value, Unmakeable> {
    if let Some(merge) = pods.pod_spec.as_deref().filter(|text| !text.is_empty()) {
        let merge =
            serde_json::from_str(merge).map_err(|error| Unmakeable::Pod(error.to_string()))?;
        json_patch::merge(&mut pod, &merge);
    }
    if let Some(patch) = pods.pod_patch.as_deref().filter(|text| !text.is_empty()) {
        let patch: Patch =
            serde_json::from_str(patch).map_err(|error| Unmakeable::Patch(error.to_string()))?;
        json_patch::patch(&mut pod, &patch)
            .map_err(|error| Unmakeable::Patch(error.to_string()))?;
    }
    serde_json::from_value::<PodSpec>(pod.clone())
        .map_err(|error| Unmakeable::Pod(error.to_string()))?;
    Ok(pod)
}
