//! `drover manifest`: converts specs to resources for Kubernetes.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::{Format, Manifest};
use crate::commands::Context;
use crate::commands::spec::sources;
use crate::exit::Exit;
use crate::render;

/// Maximum length of a resource's name, because derived objects append to it.
const MAX_NAME_LENGTH: usize = 50;

pub(crate) fn manifest(typed: &Manifest, context: &Context) -> anyhow::Result<Exit> {
    let checked = sources::check(sources::read_all(&typed.specs)?)?;
    let mut out = context.console.data();
    for each in &checked.pipelines {
        let resource = resource(
            each.pipeline.name.as_str(),
            &each.spec,
            typed.namespace.as_deref(),
        );
        match context.console.format {
            Format::Json => out.json(&resource)?,
            Format::Text => out.line(format!("---\n{}", yaml(&resource)?))?,
        }
    }
    out.finish()?;
    for note in &checked.notes {
        context
            .console
            .message(render::finding(note, &checked.texts, context.console.err));
    }
    Ok(Exit::Success)
}

fn resource(pipeline: &str, spec: &Value, namespace: Option<&str>) -> Value {
    let mut metadata = json!({ "name": resource_name(pipeline) });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    json!({
        "apiVersion": "drover.dev/v1alpha1",
        "kind": "Pipeline",
        "metadata": metadata,
        "spec": spec,
    })
}

/// A name that Kubernetes accepts, close to the pipeline's name, which stays in the spec.
fn resource_name(pipeline: &str) -> String {
    let name = pipeline.to_ascii_lowercase().replace('_', "-");
    let cut = &name[..name.len().min(MAX_NAME_LENGTH)];
    cut.trim_end_matches('-').to_owned()
}

fn yaml(resource: &Value) -> anyhow::Result<String> {
    let text = serde_saphyr::to_string(resource).context("cannot show the resource")?;
    Ok(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_has_a_name_that_kubernetes_accepts() {
        let long = "a".repeat(63);
        let rows = [
            ("word-count", "word-count"),
            ("Word_Count", "word-count"),
            ("x_", "x"),
            ("9", "9"),
            (long.as_str(), &long[..50]),
        ];
        for (pipeline, name) in rows {
            assert_eq!(resource_name(pipeline), name);
        }
    }

    #[test]
    fn a_spec_becomes_a_resource() {
        let spec = json!({ "pipeline": { "name": "Thumbs" }, "transform": { "cmd": ["sh"], "stdin": ["a: b", "# c", "multi\nline"] } });
        let resource = resource("Thumbs", &spec, Some("farm"));
        insta::assert_snapshot!(yaml(&resource).unwrap());
    }
}
