//! Kubernetes fields: checked here for early feedback, and kept for the operator.

use std::collections::BTreeMap;

use serde_json::Value;

use super::non_empty;
use crate::pipeline::ResourceRequests;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::spec::{self, Effect, Operator, Quantity, Resources, Toleration};
use crate::units::whole_part;

/// Checks all Kubernetes fields.
pub(super) fn check(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) {
    let root = Path::root();
    if let Some(metadata) = &spec.metadata {
        let path = root.field("metadata");
        keys(&metadata.annotations, &path.field("annotations"), report);
        labels(&metadata.labels, &path.field("labels"), report);
    }
    if let Some(scheduling) = &spec.scheduling_spec {
        let path = root.field("scheduling_spec").field("node_selector");
        labels(&scheduling.node_selector, &path, report);
    }
    for (index, toleration) in spec.tolerations.iter().enumerate() {
        check_toleration(toleration, &root.field("tolerations").index(index), report);
    }
    resources(spec, report);
    max_memory(spec, report);
    patches(spec, report);
}

fn labels(labels: &BTreeMap<String, String>, path: &Path, report: &mut FindingCollector<'_>) {
    keys(labels, path, report);
    for (key, value) in labels {
        if !value.is_empty() && !is_label(value) {
            let message = format!("{value:?} cannot be the value of a label");
            report.error(&path.field(key), message, LABEL_RULE);
        }
    }
}

fn keys(map: &BTreeMap<String, String>, path: &Path, report: &mut FindingCollector<'_>) {
    for key in map.keys() {
        let (prefix, name) = key
            .split_once('/')
            .map_or((None, key.as_str()), |(prefix, name)| (Some(prefix), name));
        if !is_label(name) || !prefix.is_none_or(is_domain) {
            let message = format!("{key:?} cannot be the key of a label or annotation");
            report.error(
                &path.field(key),
                message,
                format!("{LABEL_RULE}; a domain and `/` may stand before it"),
            );
        }
    }
}

const LABEL_RULE: &str =
    "1 to 63 letters, digits, '-', '_' or '.', a letter or digit first and last";

fn is_label(text: &str) -> bool {
    let inner = |each: char| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.');
    let outer = |each: char| each.is_ascii_alphanumeric();
    (1..=63).contains(&text.len())
        && text.chars().all(inner)
        && text.starts_with(outer)
        && text.ends_with(outer)
}

fn is_domain(text: &str) -> bool {
    let inner = |each: char| {
        each.is_ascii_lowercase() || each.is_ascii_digit() || matches!(each, '-' | '.')
    };
    let outer = |each: char| each.is_ascii_lowercase() || each.is_ascii_digit();
    (1..=253).contains(&text.len())
        && text.chars().all(inner)
        && text.starts_with(outer)
        && text.ends_with(outer)
}

fn check_toleration(toleration: &Toleration, path: &Path, report: &mut FindingCollector<'_>) {
    let exists = toleration.operator == Some(Operator::Exists);
    if non_empty(toleration.key.as_ref()).is_none() && !exists {
        let advice = "name the taint, or tolerate every one with `operator: Exists`";
        report.missing(&path.field("key"), advice);
    }
    if exists && non_empty(toleration.value.as_ref()).is_some() {
        let message = "contradicts `operator: Exists`, which looks at the key alone";
        report.error(
            &path.field("value"),
            message,
            "remove the value, or write `operator: Equal`",
        );
    }
    if toleration.seconds.is_some() && toleration.effect != Some(Effect::NoExecute) {
        let message = "has no meaning here: only a `NoExecute` taint is tolerated for a time";
        report.error(
            &path.field("seconds"),
            message,
            "write `effect: NoExecute`, or remove it",
        );
    }
}

/// Resources of a datum, which are those of a pod with one slot.
pub(super) fn requests(spec: &spec::Pipeline) -> ResourceRequests {
    let bytes = |quantity: &Quantity| whole_part(quantity.amount.ceil());
    let requests = spec.resource_requests.as_ref();
    let gpu = requests.and_then(|requests| requests.gpu.as_ref());
    ResourceRequests {
        memory_bytes: requests
            .and_then(|requests| requests.memory.as_ref())
            .map(bytes),
        cpus: requests.and_then(|requests| requests.cpu),
        gpus: gpu.and_then(|gpu| gpu.number).unwrap_or(0),
        max_memory_bytes: spec.max_memory.as_ref().map(bytes),
    }
}

/// The least `max_memory`, in parts of the usual limit. Pods of about the same size could not be told apart by what is left of
/// their memory for commands.
const LEAST_GROWTH: f64 = 1.5;

fn max_memory(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) {
    let Some(most) = &spec.max_memory else { return };
    let limits = spec.resource_limits.as_ref();
    let path = Path::root().field("max_memory");
    match limits.and_then(|limits| limits.memory.as_ref()) {
        None => {
            let message =
                "has no meaning without `resource_limits.memory`, the memory of the usual pods";
            report.error(&path, message, "give both");
        }
        Some(usual) if most.amount < usual.amount * LEAST_GROWTH => {
            let message = "is less than one and a half times `resource_limits.memory`";
            report.error(&path, message, "raise it, or remove it");
        }
        Some(_) => {}
    }
}

fn resources(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) {
    let fields = [
        ("resource_requests", &spec.resource_requests),
        ("resource_limits", &spec.resource_limits),
    ];
    for (field, resources) in fields {
        let path = Path::root().field(field).field("gpu");
        let Some(gpu) = resources
            .as_ref()
            .and_then(|resources| resources.gpu.as_ref())
        else {
            continue;
        };
        if non_empty(gpu.kind.as_ref()).is_none() {
            report.missing(
                &path.field("type"),
                "name the resource, for example `nvidia.com/gpu`",
            );
        }
        if gpu.number == Some(0) {
            let advice = "write 1 or more, or delete `gpu`";
            report.error(&path.field("number"), "0 processors are none", advice);
        } else if gpu.number.is_none() {
            report.missing(&path.field("number"), "say how many, 1 or more");
        }
    }
    let (Some(requests), Some(limits)) = (&spec.resource_requests, &spec.resource_limits) else {
        return;
    };
    refuse_excess(requests, limits, report);
}

fn refuse_excess(requests: &Resources, limits: &Resources, report: &mut FindingCollector<'_>) {
    let amount = |quantity: &Option<Quantity>| quantity.as_ref().map(|quantity| quantity.amount);
    let pairs = [
        ("cpu", requests.cpu, limits.cpu),
        ("memory", amount(&requests.memory), amount(&limits.memory)),
        ("disk", amount(&requests.disk), amount(&limits.disk)),
    ];
    for (field, request, limit) in pairs {
        if request
            .zip(limit)
            .is_some_and(|(request, limit)| request > limit)
        {
            let path = Path::root().field("resource_requests").field(field);
            report.error(
                &path,
                "is more than `resource_limits` allows",
                "lower it, or raise the limit",
            );
        }
    }
}

fn patches(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) {
    if let Some(text) = non_empty(spec.pod_spec.as_ref()) {
        let advice = "write a JSON object in quotes, for example '{\"hostNetwork\": true}'";
        let is_object = |value: &Value| value.is_object();
        check_json(
            &text,
            is_object,
            advice,
            &Path::root().field("pod_spec"),
            report,
        );
    }
    if let Some(text) = non_empty(spec.pod_patch.as_ref()) {
        let advice = "write a JSON list in quotes, for example '[{\"op\": \"add\", \"path\": \"/hostNetwork\", \"value\": true}]'";
        check_json(
            &text,
            is_patch,
            advice,
            &Path::root().field("pod_patch"),
            report,
        );
    }
}

fn check_json(
    text: &str,
    fits: impl Fn(&Value) -> bool,
    advice: &str,
    path: &Path,
    report: &mut FindingCollector<'_>,
) {
    match serde_json::from_str::<Value>(text) {
        Err(error) => report.error(path, format!("is not JSON: {error}"), advice),
        Ok(value) if !fits(&value) => report.error(path, "has the wrong shape", advice),
        Ok(_) => {}
    }
}

/// A list of operations, as in RFC 6902.
fn is_patch(value: &Value) -> bool {
    let operations = ["add", "remove", "replace", "move", "copy", "test"];
    value.as_array().is_some_and(|items| {
        items.iter().all(|item| {
            item["op"]
                .as_str()
                .is_some_and(|operation| operations.contains(&operation))
                && item["path"].is_string()
        })
    })
}
