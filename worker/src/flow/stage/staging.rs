//! Stages the inputs of a datum.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drover_shared::datum::{Cause, DatumInput};

use super::download::Downloads;
use super::folder;
use super::input_state::{InputCheck, InputState};
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow_error::FlowError;
use crate::runner::Mount;

/// A datum whose inputs are on the local machine.
#[derive(Debug)]
pub(in crate::flow) struct StagedDatum {
    pub(in crate::flow) claimed: ClaimedDatum,
    pub(in crate::flow) mounts: Vec<Mount>,
    /// The inputs in folders. Downloads are not looked at again: nobody else writes to them.
    states: Vec<InputState>,
    pub(in crate::flow) bytes: u64,
    pub(in crate::flow) time: Duration,
    /// Removes the downloads when dropped.
    downloads: Option<Downloads>,
}

impl StagedDatum {
    /// Looks at the inputs again after an attempt, and remembers their state for the next one.
    pub(in crate::flow) async fn check_inputs(&mut self) -> Result<InputCheck, FlowError> {
        let mut found = InputCheck::Unchanged;
        for state in &mut self.states {
            match state.check().await {
                InputCheck::Unchanged => {}
                touched @ InputCheck::Touched(_) => found = touched,
                changed @ InputCheck::Changed(_) => return Ok(changed),
            }
        }
        Ok(found)
    }

    /// Downloads the content of inputs that are shown as empty files to their places, the sources of their mounts.
    pub(in crate::flow) async fn fetch(
        &self,
        missing: &BTreeSet<PathBuf>,
    ) -> Result<(), FlowError> {
        match &self.downloads {
            Some(downloads) => downloads.fetch_hidden(missing).await,
            None => Ok(()),
        }
    }
}

/// Makes the inputs available.
pub(in crate::flow) async fn stage(
    claimed: &ClaimedDatum,
    context: &WorkerContext,
) -> Result<StagedDatum, FlowError> {
    let begun = Instant::now();
    let mut downloads = None;
    let mut mounts = Vec::with_capacity(claimed.datum.inputs.len());
    let mut states = Vec::new();
    for (number, input) in claimed.datum.inputs.iter().enumerate() {
        let leaf = claimed.job.leaf(input).ok_or_else(|| foreign(input))?;
        if leaf.store.local_root().is_some() {
            let (shown, state) = folder::stage(input, leaf).await?;
            mounts.extend(shown);
            states.push(state);
        } else {
            let downloads = downloads.get_or_insert_with(|| Downloads::new(claimed, context));
            let staged = downloads.stage(number, input, leaf, &context.cache);
            mounts.extend(staged.await?);
        }
    }
    Ok(StagedDatum {
        claimed: claimed.clone(),
        mounts,
        states,
        bytes: claimed.datum.input_bytes(),
        time: begun.elapsed(),
        downloads,
    })
}

/// The failure of a datum with an input that is not in the spec.
fn foreign(input: &DatumInput) -> FlowError {
    let message = format!(
        "input {:?} is not one of the job's spec; run the pipeline again",
        input.name
    );
    FlowError::Datum(Cause::Input { message })
}
