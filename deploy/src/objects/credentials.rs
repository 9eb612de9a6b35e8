//! Credentials reach a worker as environment variables that refer to Secrets, never as values or files.
//!
//! The worker passes none of its own variables to commands, and protects its memory and environment from other
//! processes. Variables for commands (`transform.secrets`) carry a prefix that the worker removes.

use drover_shared::pipeline::{GIVEN_PREFIX, Secret};
use serde_json::{Value, json};

use super::ObjectInput;

/// The worker's variables with credentials, and the variables that it passes to commands.
pub(super) fn variables(input: &ObjectInput<'_>) -> Vec<Value> {
    let broker = &input.workers.broker_secret;
    let mut variables = vec![from_secret("DROVER_BROKER", &broker.name, &broker.key)];
    let given = input
        .desired
        .pipeline
        .transform
        .secrets
        .iter()
        .filter_map(given);
    variables.extend(given);
    variables
}

/// Secrets whose keys all become variables of the worker: the credentials of the store.
pub(super) fn sources(input: &ObjectInput<'_>) -> Vec<Value> {
    let secret = input.workers.store_secret.iter();
    secret
        .map(|name| json!({ "secretRef": { "name": name } }))
        .collect()
}

fn given(secret: &Secret) -> Option<Value> {
    let (variable, key) = secret.env_var.as_ref().zip(secret.key.as_ref())?;
    Some(from_secret(
        &format!("{GIVEN_PREFIX}{variable}"),
        &secret.name,
        key,
    ))
}

fn from_secret(variable: &str, secret: &str, key: &str) -> Value {
    json!({
        "name": variable,
        "valueFrom": { "secretKeyRef": { "name": secret, "key": key } },
    })
}
