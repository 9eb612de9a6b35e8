//! Verdicts: one commit record a datum, sealed segment by segment.

use super::{Ledger, Segment};
use crate::datum::Verdict;
use crate::id::JobId;
use crate::store::StoreError;

/// How a commit went.
#[derive(Clone, Debug, PartialEq)]
pub enum Commit {
    /// This verdict is the datum's, for ever.
    Won,
    /// The datum had ended already, like this.
    Lost(Box<Verdict>),
}

impl Ledger {
    /// Commits a verdict by one conditional put: the first one for an index wins.
    pub async fn commit(&self, job: JobId, verdict: &Verdict) -> Result<Commit, StoreError> {
        todo!("{job} {verdict:?}")
    }

    /// The verdict of a datum that is not sealed yet.
    pub async fn committed(&self, job: JobId, index: u64) -> Result<Option<Verdict>, StoreError> {
        todo!("{job} {index}")
    }

    /// Writes the verdicts of a segment whose datums have all ended (or were skipped) as one object, then
    /// removes their single records. `verdicts` is sorted by index.
    pub async fn seal(&self, job: JobId, segment: Segment, verdicts: &[Verdict]) -> Result<(), StoreError> {
        todo!("{job} {segment:?} {verdicts:?}")
    }

    /// The verdicts of a segment, sealed or not, sorted by index.
    pub async fn verdicts(&self, job: JobId, segment: Segment) -> Result<Vec<Verdict>, StoreError> {
        todo!("{job} {segment:?}")
    }
}
