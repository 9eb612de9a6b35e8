//! What the inputs of a pipeline are now, in one short text.

use std::io;
use std::sync::Arc;

use blake3::Hasher;
use drover_shared::ledger::RegisteredPipeline;
use drover_shared::pipeline::Pipeline;
use drover_shared::store::{Store, StoreError};
use tokio::task::spawn_blocking;

use crate::coordinator::reason::chain;
use crate::expand::{DatumStream, ExpandError, StoreListings, expand};

/// What the inputs of a pipeline are.
#[derive(Debug)]
pub(super) enum InputState {
    /// They expand to datums.
    Are {
        /// Stands for all of the datums, for the spec, and for how often a person wanted a job.
        fingerprint: String,
        /// Whether there is no datum.
        empty: bool,
    },
    /// They do not exist yet, or cannot be read, for this reason.
    Unknown {
        /// For people.
        why: String,
    },
}

/// Looks at the inputs of a registered pipeline: lists all of them, and reads the files that are new.
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

/// What keeps a person from being surprised: an input that is not there is waited for, a store that fails is trouble.
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
