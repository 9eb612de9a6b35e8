//! The desired state of a pipeline: a resource's spec, parsed by the code that the command line uses.

use std::collections::BTreeMap;

use drover_shared::pipeline::{self, Findings, Severity};
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::crd;

/// The desired state of one pipeline.
#[derive(Clone, Debug)]
pub struct DesiredPipeline {
    /// The parsed pipeline.
    pub pipeline: pipeline::Pipeline,
    /// The spec in the normal form of the store.
    pub spec: Value,
    /// The number of workers set through the scale subresource; `None` leaves the number to `parallelism_spec`.
    pub replicas: Option<u32>,
    /// Settings of the worker pods.
    pub pods: PodSettings,
    /// Notes for the user, one sentence each.
    pub notes: Vec<String>,
}

/// Pod settings of a spec. Only the operator needs the fields, so it reads them from the validated normal form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodSettings {
    /// Labels and annotations.
    pub metadata: PodMetadata,
    /// Resource requests.
    pub resource_requests: PodResources,
    /// Resource limits.
    pub resource_limits: PodResources,
    /// Memory of the large workers as a Kubernetes quantity; `None` without large workers.
    pub max_memory: Option<String>,
    /// Node selector and priority class.
    pub scheduling_spec: PodScheduling,
    /// Tolerated taints.
    pub tolerations: Vec<Toleration>,
    /// A JSON merge patch, as text.
    pub pod_spec: Option<String>,
    /// A JSON Patch, as text.
    pub pod_patch: Option<String>,
    /// Pod settings from `transform`.
    pub transform: ImagePull,
}

/// Settings for pulling the image.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ImagePull {
    /// Secrets with credentials for the registry.
    pub image_pull_secrets: Vec<String>,
}

/// Labels and annotations of pods.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodMetadata {
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Labels.
    pub labels: BTreeMap<String, String>,
}

/// Resource amounts of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodResources {
    /// CPUs.
    pub cpu: Option<f64>,
    /// Bytes of memory as a Kubernetes quantity.
    pub memory: Option<String>,
    /// Bytes of ephemeral storage as a Kubernetes quantity.
    pub disk: Option<String>,
    /// Graphics processors.
    pub gpu: Option<GpuRequest>,
}

/// Graphics processors.
#[derive(Clone, Debug, Deserialize)]
pub struct GpuRequest {
    /// The name of the extended resource, for example `nvidia.com/gpu`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of processors.
    pub number: u32,
}

/// Node selector and priority class of pods.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PodScheduling {
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// The priority class.
    pub priority_class_name: Option<String>,
}

/// A taint that the pods tolerate.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Toleration {
    /// The key of the taint; `None` matches every key.
    pub key: Option<String>,
    /// `Equal` (the default) or `Exists`.
    pub operator: Option<String>,
    /// The value of the taint.
    pub value: Option<String>,
    /// The effect; `None` or `AllEffects` matches every effect.
    pub effect: Option<String>,
    /// Seconds for which a `NoExecute` taint is tolerated.
    pub seconds: Option<i64>,
}

impl PodSettings {
    /// True if the user changes the pod with `pod_spec` or `pod_patch`.
    pub fn is_patched(&self) -> bool {
        let patches = [&self.pod_spec, &self.pod_patch];
        patches.into_iter().flatten().any(|text| !text.is_empty())
    }
}

impl DesiredPipeline {
    /// The pipeline with `max_memory` for each pod, for the large workers.
    #[must_use]
    pub fn enlarged(&self) -> Self {
        let mut enlarged = self.clone();
        if let Some(memory) = &self.pods.max_memory {
            let pods = &mut enlarged.pods;
            pods.resource_requests.memory = Some(memory.clone());
            pods.resource_limits.memory = Some(memory.clone());
        }
        enlarged
    }

    /// True if the number of workers depends on the number of nodes.
    pub fn counts_nodes(&self) -> bool {
        let per_node = matches!(
            self.pipeline.parallelism,
            pipeline::Parallelism::Coefficient(_)
        );
        per_node && self.replicas.is_none()
    }
}

/// The name of a resource's pipeline: `pipeline.name`, or else the resource's name. The spec need not be valid.
pub fn pipeline_name(resource: &crd::Pipeline) -> String {
    let own = resource.spec.0["pipeline"]["name"].as_str();
    own.map_or_else(|| resource.name_any(), str::to_owned)
}

/// Parses the resource's spec. Fails with all findings, one sentence each.
pub fn desired_pipeline(resource: &crd::Pipeline) -> Result<DesiredPipeline, Vec<String>> {
    let spec = named(resource).to_string();
    let parsed = pipeline::parse("spec.json", &spec).map_err(|findings| sentences(&findings))?;
    let [parsed] = parsed
        .try_into()
        .map_err(|_| vec!["it is no spec".to_owned()])?;
    let pods =
        serde_json::from_value(parsed.spec.clone()).map_err(|error| vec![error.to_string()])?;
    Ok(DesiredPipeline {
        pipeline: parsed.pipeline,
        spec: parsed.spec,
        replicas: replicas(resource),
        pods,
        notes: sentences(&Findings(parsed.notes)),
    })
}

/// The value of the field of the scale subresource.
fn replicas(resource: &crd::Pipeline) -> Option<u32> {
    let replicas = resource.spec.0[crd::REPLICAS].as_u64()?;
    Some(u32::try_from(replicas).unwrap_or(u32::MAX))
}

/// The spec as the parser takes it: with a pipeline name (`pipeline.name`, or else the resource's name), and without the
/// number of the scale subresource.
fn named(resource: &crd::Pipeline) -> Value {
    let mut spec = resource.spec.0.clone();
    // The schema demands an object; the parser reports any other type.
    if let Some(fields) = spec.as_object_mut() {
        fields.remove(crd::REPLICAS);
        let identity = fields.entry("pipeline").or_insert_with(|| json!({}));
        if let Some(identity) = identity.as_object_mut() {
            identity
                .entry("name")
                .or_insert_with(|| json!(resource.name_any()));
        }
    }
    spec
}

/// The findings without positions, because the user did not write the text that was parsed; errors before notes.
fn sentences(findings: &Findings) -> Vec<String> {
    let mut findings: Vec<_> = findings.0.iter().collect();
    findings.sort_by_key(|finding| finding.severity == Severity::Note);
    let sentence = |finding: &&pipeline::Finding| {
        let mut finding = (*finding).clone();
        (finding.line, finding.column) = (0, 0);
        finding.file.clear();
        finding.to_string()
    };
    findings.iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::PipelineSpec;

    fn read(spec: Value) -> Result<DesiredPipeline, Vec<String>> {
        desired_pipeline(&crd::Pipeline::new("thumbs", PipelineSpec(spec)))
    }

    #[test]
    fn a_pipeline_without_a_name_has_the_resource_s() {
        let spec = json!({ "transform": { "cmd": ["x"] }, "input": { "pfs": { "repo": "in", "glob": "/*" } } });
        let desired = read(spec.clone()).unwrap();
        assert_eq!(desired.pipeline.name.as_str(), "thumbs");
        assert_eq!(desired.spec["pipeline"]["name"], "thumbs");
        let mut spec = spec;
        spec["pipeline"] = json!({ "name": "Thumbs_2" });
        assert_eq!(read(spec).unwrap().pipeline.name.as_str(), "Thumbs_2");
    }

    #[test]
    fn the_number_of_the_scale_subresource_is_no_part_of_the_pipeline() {
        let mut spec = json!({ "transform": { "cmd": ["x"] }, "input": { "pfs": { "repo": "in", "glob": "/*" } } });
        let before = read(spec.clone()).unwrap();
        spec["replicas"] = json!(4);
        let scaled = read(spec).unwrap();
        assert_eq!((before.replicas, scaled.replicas), (None, Some(4)));
        assert_eq!(scaled.spec, before.spec, "the store sees no other spec");
        assert!(before.counts_nodes() && !scaled.counts_nodes());
    }

    #[test]
    fn all_findings_are_reported_in_sentences() {
        let problems = read(json!({ "transform": { "cmd": [] } })).unwrap_err();
        insta::assert_snapshot!(problems.join("\n"));
    }
}
