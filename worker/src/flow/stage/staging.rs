//! Stages the inputs of a datum.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drover_shared::datum::{Cause, DatumInput};

use super::download::Downloads;
use super::folder;
use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::flow_error::FlowError;
use crate::runner::Mount;

/// A datum whose inputs are on this machine.
#[derive(Debug)]
pub(in crate::flow) struct StagedDatum {
    pub(in crate::flow) claimed: ClaimedDatum,
    pub(in crate::flow) mounts: Vec<Mount>,
    pub(in crate::flow) bytes: u64,
    pub(in crate::flow) time: Duration,
    /// Removes the downloads when dropped.
    downloads: Option<Downloads>,
}

impl StagedDatum {
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
    for (number, input) in claimed.datum.inputs.iter().enumerate() {
        let leaf = claimed.job.leaf(input).ok_or_else(|| foreign(input))?;
        if leaf.store.local_root().is_some() {
            mounts.extend(folder::stage(input, leaf).await?);
        } else {
            let downloads = downloads.get_or_insert_with(|| Downloads::new(claimed, context));
            mounts.extend(downloads.stage(number, input, leaf).await?);
        }
    }
    Ok(StagedDatum {
        claimed: claimed.clone(),
        mounts,
        bytes: claimed.datum.inputs.iter().map(|input| input.size).sum(),
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
