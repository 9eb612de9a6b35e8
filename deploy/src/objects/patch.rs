//! Applies `pod_spec` and then `pod_patch` to the pod, where the operator allows changes: users who may create pipelines need not be
//! trusted with the nodes of the cluster.

use json_patch::Patch;
use k8s_openapi::api::core::v1::PodSpec;
use serde_json::Value;

use super::InvalidPod;
use crate::desired::PodSettings;

/// The patched pod. The result is checked against the type of a pod, because the API server's error would be less clear
/// and would not name the spec.
pub(super) fn patched(
    mut pod: Value,
    pods: &PodSettings,
    allowed: bool,
) -> Result<Value, InvalidPod> {
    if pods.is_patched() && !allowed {
        return Err(InvalidPod::ChangeNotAllowed);
    }
    if let Some(merge) = pods.pod_spec.as_deref().filter(|text| !text.is_empty()) {
        let merge =
            serde_json::from_str(merge).map_err(|error| InvalidPod::Pod(error.to_string()))?;
        json_patch::merge(&mut pod, &merge);
    }
    if let Some(patch) = pods.pod_patch.as_deref().filter(|text| !text.is_empty()) {
        let patch: Patch =
            serde_json::from_str(patch).map_err(|error| InvalidPod::Patch(error.to_string()))?;
        json_patch::patch(&mut pod, &patch)
            .map_err(|error| InvalidPod::Patch(error.to_string()))?;
    }
    serde_json::from_value::<PodSpec>(pod.clone())
        .map_err(|error| InvalidPod::Pod(error.to_string()))?;
    Ok(pod)
}
