//! The worker's container in the user's image, and the init container that installs the worker's binary.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{ObjectInput, credentials, resources, security, volumes};
use crate::settings::Binary;

/// The name of the worker's container.
pub(super) const NAME: &str = "worker";

/// The port of the worker's probes.
pub const PORT: u16 = 9090;

/// Time for a command to end after SIGTERM.
const TERM_GRACE: Duration = Duration::from_secs(5);

/// Margin between the worker's grace and the pod's termination grace.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// Time for a worker to end after its liveness probe has failed.
const HUNG_GRACE: Duration = Duration::from_secs(10);

/// Time for a worker to reach store and broker before it exits and is restarted.
const CONNECT_TIMEOUT: &str = "2m";

/// Time for running datums to finish after the pod is asked to stop: the datum timeout, and at most the cluster's drain
/// time.
fn grace(input: &ObjectInput<'_>) -> Duration {
    let longest = input.workers.drain;
    let timeout = input.desired.pipeline.datum_timeout;
    timeout.map_or(longest, |timeout| longest.min(timeout + TERM_GRACE))
}

/// The pod's termination grace, which is longer than the worker's drain.
pub(super) fn termination_grace(input: &ObjectInput<'_>) -> Duration {
    Duration::from_secs(grace(input).as_secs() + 1) + LAST_WORDS
}

/// The worker's container in the user's image.
pub(super) fn container(input: &ObjectInput<'_>) -> Value {
    let transform = &input.desired.pipeline.transform;
    let image = match transform.image.as_str() {
        "" => input.workers.default_image.as_str(),
        image => image,
    };
    let mut container = json!({
        "name": NAME,
        "image": image,
        "command": [program(&input.workers.binary)],
        "env": variables(input),
        "ports": [{ "name": "probe", "containerPort": PORT, "protocol": "TCP" }],
        "startupProbe": probe("/live", 2, 30),
        "livenessProbe": liveness(),
        "readinessProbe": probe("/ready", 5, 2),
        "resources": resources::of_worker(&input.desired.pods),
        "securityContext": security::worker(input),
        // The last log line of a worker that exits names the reason; it becomes the condition's message.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": volumes::mounts(input),
    });
    let sources = credentials::sources(input);
    if !sources.is_empty() {
        container["envFrom"] = json!(sources);
    }
    if let Some(policy) = &input.workers.pull_policy {
        container["imagePullPolicy"] = json!(policy);
    }
    container
}

/// The init container that copies the binary; `None` if the user's image contains the worker.
pub(super) fn installer(input: &ObjectInput<'_>) -> Option<Value> {
    let Binary::Image { image, command } = &input.workers.binary else {
        return None;
    };
    let mut installer = json!({
        "name": "install",
        "image": image,
        "command": [command, "install", program(&input.workers.binary)],
        "resources": resources::of_installer(),
        "securityContext": security::installer(),
        "volumeMounts": [{ "name": "binary", "mountPath": volumes::BINARY }],
    });
    if let Some(policy) = &input.workers.pull_policy {
        installer["imagePullPolicy"] = json!(policy);
    }
    Some(installer)
}

/// The path of the worker's binary in the user's image.
fn program(binary: &Binary) -> String {
    match binary {
        Binary::Image { .. } => format!("{}/drover-worker", volumes::BINARY),
        Binary::Path(path) => path.clone(),
    }
}

fn variables(input: &ObjectInput<'_>) -> Vec<Value> {
    let pipeline = &input.desired.pipeline;
    let mut variables = vec![
        plain("DROVER_PIPELINES", pipeline.name.as_str()),
        plain("DROVER_STORE", &input.workers.store),
        // A container has no right to mount, so a worker runs one datum at a time.
        plain("DROVER_SLOTS", "1"),
        plain(
            "DROVER_LOOK_AHEAD",
            &pipeline.look_ahead.min(u32::from(u16::MAX)).to_string(),
        ),
        plain("DROVER_GRACE", &format!("{}s", grace(input).as_secs())),
        plain("DROVER_TERM_GRACE", &format!("{}s", TERM_GRACE.as_secs())),
        plain("DROVER_CONNECT_TIMEOUT", CONNECT_TIMEOUT),
        plain("DROVER_LISTEN", &format!("0.0.0.0:{PORT}")),
        plain("DROVER_LOG_FORMAT", "json"),
        from_field("POD_NAME", "metadata.name"),
        from_field("POD_NAMESPACE", "metadata.namespace"),
    ];
    // A pod as the operator makes it may create no namespace; without this, each worker would warn about it.
    if !input.desired.pods.is_patched() {
        variables.push(plain("DROVER_SANDBOX", "links"));
    }
    if input.workers.store_claim.is_none() {
        variables.push(plain("DROVER_SCRATCH", volumes::SCRATCH));
    }
    variables.extend(credentials::variables(input));
    variables
}

fn plain(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn from_field(name: &str, field: &str) -> Value {
    json!({ "name": name, "valueFrom": { "fieldRef": { "fieldPath": field } } })
}

/// A worker that hangs is killed after a minute without an answer; the pod's grace does not apply to such a worker.
fn liveness() -> Value {
    let mut liveness = probe("/live", 10, 6);
    liveness["terminationGracePeriodSeconds"] = json!(HUNG_GRACE.as_secs());
    liveness
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
