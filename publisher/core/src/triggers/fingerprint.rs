//! The fingerprint of a pipeline's inputs.

use std::io;
use std::sync::Arc;

use blake3::Hasher;
use drover_shared::causes::with_causes;
use drover_shared::ledger::RegisteredPipeline;
use drover_shared::pipeline::Pipeline;
use drover_shared::store::{Store, StoreError};
use serde_json::Value;
use tokio::task::spawn_blocking;

use crate::expand::{DatumStream, ExpandError, StoreListings, expand};

/// State of a pipeline's inputs.
#[derive(Debug)]
pub(super) enum InputState {
    /// The inputs expand to datums.
    Are {
        /// Hash over all datum ids, the spec, and the count of requested runs.
        fingerprint: String,
        /// True if there is no datum.
        empty: bool,
    },
    /// The inputs do not exist yet.
    Unknown {
        /// The reason, for people.
        why: String,
    },
    /// The inputs cannot be read, or make no job; only a person can change that.
    Refused {
        /// The reason, for people.
        why: String,
    },
}

/// Computes the fingerprint: lists all inputs and reads new files.
pub(super) async fn look(
    pipeline: &Pipeline,
    registered: &RegisteredPipeline,
    store: &Store,
) -> Result<InputState, StoreError> {
    let listings = match StoreListings::open(pipeline, store).await {
        Ok(listings) => Arc::new(listings),
        Err(error) => return unknown(error),
    };
    let datums = match expand(pipeline, listings) {
        Ok(datums) => datums,
        Err(error) => return unknown(error),
    };
    let mut hasher = Hasher::new();
    hasher.update(
        without_fields_apart(registered.spec.clone())
            .to_string()
            .as_bytes(),
    );
    hasher.update(&registered.run_requests.to_le_bytes());
    match spawn_blocking(move || sum(datums, hasher)).await {
        Ok(Ok(inputs)) => Ok(inputs),
        Ok(Err(error)) => unknown(error),
        Err(error) => unavailable(io::Error::other(error)),
    }
}

/// Fields of a spec that affect only the number of workers, or the receivers of events: a change of these fields starts no job.
const FIELDS_APART: [&str; 5] = [
    "notify",
    "parallelism_spec",
    "autoscaling",
    "standby",
    "standby_after",
];

fn without_fields_apart(mut spec: Value) -> Value {
    if let Some(fields) = spec.as_object_mut() {
        fields.retain(|field, _| !FIELDS_APART.contains(&field.as_str()));
    }
    spec
}

fn sum(datums: DatumStream, mut hasher: Hasher) -> Result<InputState, ExpandError> {
    let mut empty = true;
    for datum in datums {
        hasher.update(&datum?.id.to_bytes());
        empty = false;
    }
    let fingerprint = hasher.finalize().to_hex().as_str()[..32].to_owned();
    Ok(InputState::Are { fingerprint, empty })
}

/// A missing input is waited for; a failing store is an error.
fn unknown(error: ExpandError) -> Result<InputState, StoreError> {
    match error {
        ExpandError::NoRepo { repo, .. } => Ok(InputState::Unknown {
            why: format!("it reads {repo}, which does not exist yet"),
        }),
        ExpandError::List { source, .. } | ExpandError::Read { source, .. }
            if matches!(source, StoreError::Unavailable { .. }) =>
        {
            Err(source)
        }
        other => Ok(InputState::Refused {
            why: with_causes(&other),
        }),
    }
}

fn unavailable(error: io::Error) -> Result<InputState, StoreError> {
    Err(StoreError::Unavailable {
        key: drover_shared::store::StoreKey::root(),
        source: error.into(),
    })
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    async fn fingerprint(change: &Value, store: &Store) -> String {
        let mut spec = json!({
            "pipeline": { "name": "made" },
            "transform": { "cmd": ["true"] },
            "input": { "pfs": { "repo": "in", "glob": "/*" } },
        });
        for (field, value) in change.as_object().unwrap() {
            spec[field] = value.clone();
        }
        let registered = RegisteredPipeline {
            revision: 1,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            paused: false,
            spec: spec.clone(),
            run_requests: 0,
        };
        let pipeline = pipeline::from_value(&spec).unwrap();
        match look(&pipeline, &registered, store).await.unwrap() {
            InputState::Are { fingerprint, .. } => fingerprint,
            InputState::Unknown { why } | InputState::Refused { why } => panic!("{why}"),
        }
    }

    #[tokio::test]
    async fn a_change_of_the_scaling_alone_is_no_change_of_the_inputs() {
        let store = Store::in_memory();
        let key = "in/a".parse().unwrap();
        store.put(&key, "content".into()).await.unwrap();
        let before = fingerprint(&json!({}), &store).await;
        let scaled = json!({
            "parallelism_spec": { "constant": 4 },
            "autoscaling": true,
            "notify": [{ "command": ["mail"] }],
        });
        assert_eq!(fingerprint(&scaled, &store).await, before);
        let other = json!({ "transform": { "cmd": ["false"] } });
        assert_ne!(fingerprint(&other, &store).await, before);
    }
}
