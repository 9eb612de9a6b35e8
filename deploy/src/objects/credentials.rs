//! How credentials come into a worker: as variables that refer to Secrets, never as values, never as files.
//!
//! The worker hands none of its own variables to commands, and lets nobody look into its memory or environment. What a
//! command is given by `transform.secrets` travels under a name that only the worker takes off.

use drover_shared::pipeline::{GIVEN_PREFIX, Secret};
use serde_json::{Value, json};

use super::Recipe;

/// The variables of the worker that hold credentials, and those that it gives to commands.
pub(super) fn variables(recipe: &Recipe<'_>) -> Vec<Value> {
    let broker = &recipe.workers.broker_secret;
    let mut variables = vec![from_secret("DROVER_BROKER", &broker.name, &broker.key)];
    let given = recipe
        .wanted
        .pipeline
        .transform
        .secrets
        .iter()
        .filter_map(given);
    variables.extend(given);
    variables
}

/// The Secrets all of whose keys are variables of the worker: the store's credentials.
pub(super) fn sources(recipe: &Recipe<'_>) -> Vec<Value> {
    let secret = recipe.workers.store_secret.iter();
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
