//! What a resource asks for: its spec understood, by the same code that the command line reads specs with.

use std::collections::BTreeMap;

use drover_shared::pipeline::{self, Findings, Severity};
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::crd;

/// A pipeline as a resource asks for it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it means.
    pub pipeline: pipeline::Pipeline,
    /// The spec in its normal form, as the store keeps it.
    pub spec: Value,
    /// What its pods are to be like.
    pub pods: Pods,
    /// What is good to know, a sentence each.
    pub notes: Vec<String>,
}

/// What a spec says of worker pods and nothing else needs; read from its normal form, where all of it was checked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pods {
    /// Labels and annotations.
    pub metadata: Metadata,
    /// What a pod asks for.
    pub resource_requests: Resources,
    /// What a pod may use at most.
    pub resource_limits: Resources,
    /// Where it runs.
    pub scheduling_spec: Scheduling,
    /// Taints that it puts up with.
    pub tolerations: Vec<Toleration>,
    /// A JSON merge patch, as a text.
    pub pod_spec: Option<String>,
    /// A JSON Patch, as a text.
    pub pod_patch: Option<String>,
    /// What the pod needs to know of the command.
    pub transform: Pull,
}

/// How the image is pulled.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Pull {
    /// Secrets with which the image is pulled.
    pub image_pull_secrets: Vec<String>,
}

/// Labels and annotations of pods.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
}

/// Resources of a pod.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// CPUs.
    pub cpu: Option<f64>,
    /// Bytes of memory, as Kubernetes writes them.
    pub memory: Option<String>,
    /// Bytes of ephemeral storage, as Kubernetes writes them.
    pub disk: Option<String>,
    /// Graphics processors.
    pub gpu: Option<Gpu>,
}

/// Graphics processors.
#[derive(Clone, Debug, Deserialize)]
pub struct Gpu {
    /// The name of the resource.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many.
    pub number: u32,
}

/// Where pods run, and how important they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Scheduling {
    /// Labels that a node must have.
    pub node_selector: BTreeMap<String, String>,
    /// The priority class.
    pub priority_class_name: Option<String>,
}

/// A taint that pods put up with.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Toleration {
    /// The key of the taint; none: every one.
    pub key: Option<String>,
    /// `Equal`, the default, or `Exists`.
    pub operator: Option<String>,
    /// The value of the taint.
    pub value: Option<String>,
    /// The effect; none or `AllEffects`: all of them.
    pub effect: Option<String>,
    /// For how long a `NoExecute` taint is tolerated.
    pub seconds: Option<i64>,
}

impl Wanted {
    /// Whether the number of workers depends on that of nodes.
    pub fn counts_nodes(&self) -> bool {
        matches!(
            self.pipeline.parallelism,
            pipeline::Parallelism::Coefficient(_)
        )
    }
}

/// The name of a resource's pipeline, whether or not its spec is valid: its own, else the resource's.
pub fn pipeline_name(resource: &crd::Pipeline) -> String {
    let own = resource.spec.0["pipeline"]["name"].as_str();
    own.map_or_else(|| resource.name_any(), str::to_owned)
}

/// What the resource asks for; or all that is wrong with its spec, a sentence each.
pub fn wanted(resource: &crd::Pipeline) -> Result<Wanted, Vec<String>> {
    let spec = named(resource).to_string();
    let parsed = pipeline::parse("spec.json", &spec).map_err(|findings| sentences(&findings))?;
    let [parsed] = parsed
        .try_into()
        .map_err(|_| vec!["it is no spec".to_owned()])?;
    let pods =
        serde_json::from_value(parsed.spec.clone()).map_err(|error| vec![error.to_string()])?;
    Ok(Wanted {
        pipeline: parsed.pipeline,
        spec: parsed.spec,
        pods,
        notes: sentences(&Findings(parsed.notes)),
    })
}

/// The spec with a name: its own, else the resource's.
fn named(resource: &crd::Pipeline) -> Value {
    let mut spec = resource.spec.0.clone();
    // An object, by the schema; what else it may be, the checks say.
    if let Some(fields) = spec.as_object_mut() {
        let identity = fields.entry("pipeline").or_insert_with(|| json!({}));
        if let Some(identity) = identity.as_object_mut() {
            identity
                .entry("name")
                .or_insert_with(|| json!(resource.name_any()));
        }
    }
    spec
}

/// The findings without the places in a text that nobody wrote; what is wrong before what is good to know.
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

    fn read(spec: Value) -> Result<Wanted, Vec<String>> {
        wanted(&crd::Pipeline::new("thumbs", PipelineSpec(spec)))
    }

    #[test]
    fn a_pipeline_without_a_name_has_the_resource_s() {
        let spec = json!({ "transform": { "cmd": ["x"] }, "input": { "pfs": { "repo": "in", "glob": "/*" } } });
        let wanted = read(spec.clone()).unwrap();
        assert_eq!(wanted.pipeline.name.as_str(), "thumbs");
        assert_eq!(wanted.spec["pipeline"]["name"], "thumbs");
        let mut spec = spec;
        spec["pipeline"] = json!({ "name": "Thumbs_2" });
        assert_eq!(read(spec).unwrap().pipeline.name.as_str(), "Thumbs_2");
    }

    #[test]
    fn all_that_is_wrong_is_told_in_sentences() {
        let problems = read(json!({ "transform": { "cmd": [] } })).unwrap_err();
        insta::assert_snapshot!(problems.join("\n"));
    }
}
