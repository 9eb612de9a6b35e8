//! The fingerprint of a pipeline's inputs.

use std::io;
use std::sync::Arc;

use blake3::Hasher;
use drover_shared::ledger::RegisteredPipeline;
use drover_shared::pipeline::Pipeline;
use drover_shared::store::{Store, StoreError};
use tokio::task::spawn_blocking;

use crate::coordinator::reason::chain;
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
    /// The inputs do not exist yet or cannot be read.
    Unknown {
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
    hasher.update(registered.spec.to_string().as_bytes());
    hasher.update(&registered.run_requests.to_le_bytes());
    match spawn_blocking(move || sum(datums, hasher)).await {
        Ok(Ok(inputs)) => Ok(inputs),
        Ok(Err(error)) => unknown(error),
        Err(error) => unavailable(io::Error::other(error)),
    }
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
        other => Ok(InputState::Unknown { why: chain(&other) }),
    }
}

fn unavailable(error: io::Error) -> Result<InputState, StoreError> {
    Err(StoreError::Unavailable {
        key: drover_shared::store::StoreKey::root(),
        source: error.into(),
    })
}
