//! The worker's container, in the user's image, and the one before it that puts the worker's binary there.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Recipe, credentials, resources, security, volumes};
use crate::settings::Binary;

/// The worker's container.
pub(super) const NAME: &str = "worker";

/// Where a worker answers probes.
pub const PORT: u16 = 9090;

/// How long a command may take to end after TERM.
const TERM_GRACE: Duration = Duration::from_secs(5);

/// From the end of the worker's grace to the end of the worker, with some to spare.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// How long a worker may take to reach store and broker before it gives up and is started anew.
const CONNECT_TIMEOUT: &str = "2m";

/// How long running datums may finish once the pod is asked to stop: as long as one may run, at most as long as
/// workers of this cluster are waited for.
fn grace(recipe: &Recipe<'_>) -> Duration {
    let longest = recipe.workers.drain;
    let timeout = recipe.wanted.pipeline.datum_timeout;
    timeout.map_or(longest, |timeout| longest.min(timeout + TERM_GRACE))
}

/// How long Kubernetes waits for the pod: longer than the worker drains.
pub(super) fn termination_grace(recipe: &Recipe<'_>) -> Duration {
    Duration::from_secs(grace(recipe).as_secs() + 1) + LAST_WORDS
}

/// The container in the user's image.
pub(super) fn container(recipe: &Recipe<'_>) -> Value {
    let transform = &recipe.wanted.pipeline.transform;
    let image = match transform.image.as_str() {
        "" => recipe.workers.default_image.as_str(),
        image => image,
    };
    let mut container = json!({
        "name": NAME,
        "image": image,
        "command": [program(&recipe.workers.binary)],
        "env": variables(recipe),
        "ports": [{ "name": "probe", "containerPort": PORT, "protocol": "TCP" }],
        "startupProbe": probe("/live", 2, 30),
        "livenessProbe": probe("/live", 10, 6),
        "readinessProbe": probe("/ready", 5, 2),
        "resources": resources::of_worker(&recipe.wanted.pods),
        "securityContext": security::worker(recipe),
        // The last words of a worker that gives up say why; they become the condition's message.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": volumes::mounts(recipe),
    });
    let sources = credentials::sources(recipe);
    if !sources.is_empty() {
        container["envFrom"] = json!(sources);
    }
    if let Some(policy) = &recipe.workers.pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    container
}

/// The container that copies the binary; none where the user's image has it already.
pub(super) fn installer(recipe: &Recipe<'_>) -> Option<Value> {
    let Binary::Image { image, command } = &recipe.workers.binary else {
        return None;
    };
    let mut installer = json!({
        "name": "install",
        "image": image,
        "command": [command, "install", program(&recipe.workers.binary)],
        "resources": resources::of_installer(),
        "securityContext": security::installer(),
        "volumeMounts": [{ "name": "binary", "mountPath": volumes::BINARY }],
    });
    if let Some(policy) = &recipe.workers.pull_policy {
        installer["imagePullPolicy"] = json!(policy);
    }
    Some(installer)
}

/// The worker's binary as the user's image sees it.
fn program(binary: &Binary) -> String {
    match binary {
        Binary::Image { .. } => format!("{}/drover-worker", volumes::BINARY),
        Binary::Path(path) => path.clone(),
    }
}

fn variables(recipe: &Recipe<'_>) -> Vec<Value> {
    let pipeline = &recipe.wanted.pipeline;
    let mut variables = vec![
        plain("DROVER_PIPELINES", pipeline.name.as_str()),
        plain("DROVER_STORE", &recipe.workers.store),
        // A container may not mount anything, so a worker has one datum at a time.
        plain("DROVER_SLOTS", "1"),
        plain(
            "DROVER_LOOK_AHEAD",
            &pipeline.look_ahead.min(u32::from(u16::MAX)).to_string(),
        ),
        plain("DROVER_GRACE", &format!("{}s", grace(recipe).as_secs())),
        plain("DROVER_TERM_GRACE", &format!("{}s", TERM_GRACE.as_secs())),
        plain("DROVER_CONNECT_TIMEOUT", CONNECT_TIMEOUT),
        plain("DROVER_LISTEN", &format!("0.0.0.0:{PORT}")),
        plain("DROVER_LOG_FORMAT", "json"),
        from_field("POD_NAME", "metadata.name"),
        from_field("POD_NAMESPACE", "metadata.namespace"),
    ];
    if recipe.workers.store_claim.is_none() {
        variables.push(plain("DROVER_SCRATCH", volumes::SCRATCH));
    }
    variables.extend(credentials::variables(recipe));
    variables
}

fn plain(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn from_field(name: &str, field: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": field } } })
}

fn probe(path: &str, period_s: u32, failures: u32) -> Value {
    let mut probe = Map::new();
    probe.insert(
        "httpGet".to_owned(),
        json!({ "path": path, "port": "probe" }),
    );
    probe.insert("periodSeconds".to_owned(), json!(period_s));
    probe.insert("timeoutSeconds".to_owned(), json!(3));
    probe.insert("failureThreshold".to_owned(), json!(failures));
    probe.into()
}
