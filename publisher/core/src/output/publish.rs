//! One publication, from the ledger to the output folder.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use drover_shared::id::{JobId, PipelineName};
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::OutputConflict;
use drover_shared::store::{Store, StoreError, StoreKey, Walk, layout};
use tokio_util::sync::CancellationToken;

use super::apply::{Applied, Site, apply};
use super::gather::{Gathered, gather};
use super::join::Join;
use super::piece;
use super::plan::{Plan, plan};
use super::record;
use super::{FileProgress, PublicationError};

/// What is to be published, and with what.
#[derive(Debug)]
pub struct Request<'a> {
    /// The books.
    pub ledger: &'a Ledger,
    /// The pipeline; its output folder has its name.
    pub pipeline: &'a PipelineName,
    /// The job, whose datums have all ended.
    pub job: JobId,
    /// What happens when two datums wrote the same path.
    pub conflict: OutputConflict,
    /// A folder of this machine for sorting and for files being written.
    pub scratch: &'a Path,
    /// Asks to stop, between two files.
    pub stop: &'a CancellationToken,
}

/// What a publication did.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Published {
    /// Files of ours in the output folder.
    pub files: u64,
    /// Files written or removed.
    pub changes: u64,
    /// Files in the output folder that are not ours and stay: how many, and the first one.
    pub foreign: Option<(u64, String)>,
}

/// Makes the output folder hold the union of the outputs of the job's datums. Safe to repeat; not safe beside
/// another publication of the same pipeline.
pub async fn publish(
    request: Request<'_>,
    progress: &(dyn Fn(FileProgress) + Sync),
) -> Result<Published, PublicationError> {
    let gathered = gather(request.ledger, request.job, request.scratch).await?;
    if !gathered.lost.is_empty() {
        return Err(lost(gathered.lost));
    }
    let folder = layout::output(request.pipeline);
    let plan = make_plan(&request, gathered, folder.clone()).await?;
    let published = Published {
        files: plan.files,
        changes: plan.changes,
        foreign: plan.foreign.clone(),
    };
    if plan.changes == 0 {
        return Ok(published);
    }
    let store = request.ledger.store();
    let key = layout::published(request.pipeline);
    store.adopt(plan.before.path(), &key).await?;
    let site = Site {
        store,
        folder: &folder,
        scratch: request.scratch,
        stop: request.stop,
        progress,
    };
    let Applied {
        after,
        lost: lost_datums,
    } = apply(&site, &plan).await?;
    store.adopt(after.path(), &key).await?;
    if lost_datums.is_empty() {
        Ok(published)
    } else {
        Err(lost(lost_datums.into_iter().collect()))
    }
}

fn lost(mut datums: Vec<u64>) -> PublicationError {
    datums.sort_unstable();
    PublicationError::Lost { datums }
}

/// Plans on a thread where blocking is fine.
async fn make_plan(
    request: &Request<'_>,
    gathered: Gathered,
    folder: StoreKey,
) -> Result<Plan, PublicationError> {
    let store = request.ledger.store().clone();
    let key = layout::published(request.pipeline);
    let recorded = open_record(&store, &key, request.scratch).await?;
    let (conflict, scratch) = (request.conflict, request.scratch.to_owned());
    let planning = tokio::task::spawn_blocking(move || {
        let wanted =
            piece::files(gathered.pieces).map(|wanted| wanted.map_err(PublicationError::from));
        let recorded = recorded.into_iter().flat_map(record::read);
        let recorded = recorded.map(|line| {
            line.map_err(|source| PublicationError::Damaged {
                key: key.clone(),
                source,
            })
        });
        let found = walk(&store, &folder)?.into_iter().flatten();
        let found = found.map(|entry| entry.map_err(PublicationError::from));
        plan(
            Join::new(wanted, recorded, found),
            conflict,
            &folder,
            &scratch,
        )
    });
    planning
        .await
        .map_err(|panic| PublicationError::Scratch(io::Error::other(panic)))?
}

/// The files of the output folder; none if there is no such folder.
fn walk(store: &Store, folder: &StoreKey) -> Result<Option<Walk>, StoreError> {
    match store.walk(folder) {
        Ok(walk) => Ok(Some(walk)),
        Err(StoreError::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The record as it was left by the publication before; none before the first one.
async fn open_record(
    store: &Store,
    key: &StoreKey,
    scratch: &Path,
) -> Result<Option<BufReader<File>>, PublicationError> {
    let copy = scratch.join("published");
    remove_if_there(&copy)?;
    match store.download(key, &copy).await {
        Ok(_) => {}
        Err(StoreError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let file = File::open(&copy)?;
    remove_if_there(&copy)?;
    Ok(Some(BufReader::new(file)))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
