//! The Deployment.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Recipe, Unmakeable, names, patch, pod};

/// The annotation that names the pipeline, whose name need not be fit for a label.
const NAME_ANNOTATION: &str = "drover.dev/pipeline-name";

/// The Deployment of a pipeline, without workers as yet.
///
/// A new spec replaces workers without adding any first: there may be no room for more, and work that waits a moment
/// is not lost.
pub fn deployment(recipe: &Recipe<'_>) -> Result<Value, Unmakeable> {
    let pod = patch::patched(pod::pod(recipe), &recipe.wanted.pods)?;
    Ok(json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": names::metadata(recipe),
        "spec": {
            "replicas": 0,
            "revisionHistoryLimit": 3,
            "selector": { "matchLabels": names::selector(recipe.name) },
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": { "maxSurge": 0, "maxUnavailable": "25%" },
            },
            "template": {
                "metadata": { "labels": labels(recipe), "annotations": annotations(recipe) },
                "spec": pod,
            },
        },
    }))
}

/// The user's labels, and ours over them.
fn labels(recipe: &Recipe<'_>) -> BTreeMap<String, String> {
    let mut labels = recipe.wanted.pods.metadata.labels.clone();
    labels.extend(names::labels(recipe.name));
    labels
}

fn annotations(recipe: &Recipe<'_>) -> BTreeMap<String, String> {
    let ours = [
        (NAME_ANNOTATION, recipe.wanted.pipeline.name.to_string()),
        (
            "kubectl.kubernetes.io/default-container",
            super::worker::NAME.to_owned(),
        ),
    ];
    let mut annotations = recipe.wanted.pods.metadata.annotations.clone();
    annotations.extend(ours.map(|(key, value)| (key.to_owned(), value)));
    annotations
}
