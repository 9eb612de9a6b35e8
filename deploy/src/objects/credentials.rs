//! Credentials reach a worker as environment variables with references to Secrets, never as values or files.
//!
//! The worker passes no variable of Drover to commands, and processes of commands cannot read the memory and the environment of
//! the worker. Variables for commands (`transform.secrets`) carry a prefix, removed by the worker.

use drover_shared::pipeline::{GIVEN_PREFIX, Secret};
use serde_json::{Value, json};

use super::{InvalidPod, ObjectInput};
use crate::settings::WorkerSettings;

/// Refuses Secrets of Drover for commands: users who may create pipelines need not be trusted with Drover's own credentials.
pub(super) fn check(input: &ObjectInput<'_>) -> Result<(), InvalidPod> {
    let mut named = input.desired.pipeline.transform.secrets.iter();
    match named.find(|secret| is_own(&secret.name, input.workers)) {
        Some(secret) => Err(InvalidPod::OwnSecret(secret.name.clone())),
        None => Ok(()),
    }
}

fn is_own(secret: &str, workers: &WorkerSettings) -> bool {
    let listed = [&workers.image_pull_secrets, &workers.protected_secrets];
    secret == workers.broker_secret.name
        || workers.store_secret.as_deref() == Some(secret)
        || listed.into_iter().flatten().any(|own| own == secret)
}

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
