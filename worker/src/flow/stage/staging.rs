//! Makes the inputs of a datum ready to be shown.

use std::time::{Duration, Instant};

use drover_shared::datum::{Cause, DatumInput};

use super::download::Downloads;
use super::folder;
use crate::context::Tools;
use crate::failure::Failure;
use crate::flow::claimed::Claimed;
use crate::runner::Mount;

/// A datum whose inputs are on this machine.
#[derive(Debug)]
pub(in crate::flow) struct Staged {
    pub(in crate::flow) claimed: Claimed,
    pub(in crate::flow) mounts: Vec<Mount>,
    pub(in crate::flow) bytes: u64,
    pub(in crate::flow) time: Duration,
    /// Removes what was downloaded, in the end.
    _downloads: Option<Downloads>,
}

/// Makes the inputs ready to be shown.
pub(in crate::flow) async fn stage(claimed: &Claimed, tools: &Tools) -> Result<Staged, Failure> {
    let begun = Instant::now();
    let mut downloads = None;
    let mut mounts = Vec::with_capacity(claimed.datum.inputs.len());
    for (number, input) in claimed.datum.inputs.iter().enumerate() {
        let leaf = claimed.job.leaf(input).ok_or_else(|| foreign(input))?;
        if leaf.store.local_root().is_some() {
            mounts.extend(folder::stage(input, leaf).await?);
        } else {
            let downloads = downloads.get_or_insert_with(|| Downloads::new(claimed, tools));
            mounts.extend(downloads.stage(number, input, leaf).await?);
        }
    }
    Ok(Staged {
        claimed: claimed.clone(),
        mounts,
        bytes: claimed.datum.inputs.iter().map(|input| input.size).sum(),
        time: begun.elapsed(),
        _downloads: downloads,
    })
}

/// A datum that cannot be of this job.
fn foreign(input: &DatumInput) -> Failure {
    let message = format!(
        "input {:?} is not one of the job's spec; run the pipeline again",
        input.name
    );
    Failure::Datum(Cause::Input { message })
}
