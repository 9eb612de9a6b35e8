//! Verdicts: commit records of single datums and of sets, sealed segment by segment.
//!
//! Sealing a segment writes all verdicts of the segment as one object, which is the truth from then on; the single
//! records are removed afterwards. A commit that arrives after the seal (from a frozen worker) finds the index free,
//! so a slow worker checks the sealed segments again after its commit.

use futures::{TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};

use crate::datum::Verdict;
use crate::id::JobId;
use crate::ledger::records::{advice, damaged, to_json, to_json_lines};
use crate::ledger::{Ledger, Segment};
use crate::store::{StoreError, layout};

/// A datum that took less time than this cannot have been run and sealed by another worker meanwhile, except by a
/// coincidence that costs one stray record. Such a commit skips the second check.
pub(super) const QUICK: SignedDuration = SignedDuration::from_secs(1);

/// Records written at once.
const WRITES_AT_ONCE: usize = 16;

/// How a commit went.
#[derive(Clone, Debug, PartialEq)]
pub enum Commit {
    /// This verdict counts.
    Won,
    /// An earlier verdict counts.
    Lost(Box<Verdict>),
}

impl Ledger {
    /// Commits a verdict by one conditional put: the first commit for an index wins.
    pub async fn commit(&self, job: JobId, verdict: &Verdict) -> Result<Commit, StoreError> {
        let key = layout::commit(job, verdict.index);
        match self.store.create(&key, to_json(&key, verdict)?).await {
            Ok(()) if Timestamp::now().duration_since(verdict.started) < QUICK => Ok(Commit::Won),
            Ok(()) => match self.sealed(job, verdict.index).await? {
                None => Ok(Commit::Won),
                Some(earlier) => {
                    self.store.delete(&key).await?;
                    Ok(outcome(verdict, earlier))
                }
            },
            Err(StoreError::Exists { .. }) => match self.committed_alone(job, verdict.index).await?
            {
                Some(earlier) => Ok(outcome(verdict, earlier)),
                // Sealed, or removed as damaged, between our two looks.
                None => Err(StoreError::Missing { key }),
            },
            Err(error) => Err(error),
        }
    }

    /// Commits verdicts taken from an earlier job. Reserved for the coordinator of `job`, before the segment is in the
    /// manifest: no worker can have committed for the segment yet, so repeating the call is harmless.
    pub async fn take_over(&self, job: JobId, verdicts: &[Verdict]) -> Result<(), StoreError> {
        stream::iter(verdicts.iter().map(Ok))
            .try_for_each_concurrent(WRITES_AT_ONCE, |verdict| async move {
                let key = layout::commit(job, verdict.index);
                match self.store.create(&key, to_json(&key, verdict)?).await {
                    Ok(()) | Err(StoreError::Exists { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            })
            .await
    }

    /// Verdict of a datum, if the datum has ended.
    pub async fn committed(&self, job: JobId, index: u64) -> Result<Option<Verdict>, StoreError> {
        match self.single(job, index).await? {
            Some(verdict) => Ok(Some(verdict)),
            None => match self.of_some_set(job, index).await? {
                Some(verdict) => Ok(Some(verdict)),
                None => self.sealed(job, index).await,
            },
        }
    }

    /// Verdict of a datum with a unit of its own, or with a sealed segment.
    pub async fn committed_alone(
        &self,
        job: JobId,
        index: u64,
    ) -> Result<Option<Verdict>, StoreError> {
        match self.single(job, index).await? {
            Some(verdict) => Ok(Some(verdict)),
            None => self.sealed(job, index).await,
        }
    }

    /// Verdict of a datum from its single record.
    pub(in crate::ledger) async fn single(
        &self,
        job: JobId,
        index: u64,
    ) -> Result<Option<Verdict>, StoreError> {
        match self.try_single(job, index).await {
            // The record may have been sealed and its file recycled while we read.
            Err(StoreError::Corrupt { .. }) => self.try_single(job, index).await,
            read => read,
        }
    }

    async fn try_single(&self, job: JobId, index: u64) -> Result<Option<Verdict>, StoreError> {
        let key = layout::commit(job, index);
        match self.read_optional::<Verdict>(&key, advice::VERDICT).await? {
            Some(verdict) if verdict.index != index => {
                let problem = format!("it is the verdict of datum {}", verdict.index);
                Err(damaged(&key, advice::VERDICT, problem))
            }
            verdict => Ok(verdict),
        }
    }

    /// The verdict of a datum in a sealed segment.
    async fn sealed(&self, job: JobId, index: u64) -> Result<Option<Verdict>, StoreError> {
        let sealed = self.sealed_with(job, index).await?;
        Ok(sealed.into_iter().find(|verdict| verdict.index == index))
    }

    /// The verdicts of the sealed segment with the datum; none if its segment is not sealed.
    ///
    /// The listing of seals may lag behind and hide a seal, which would make a second verdict count. So the seal is looked up by its
    /// key, too.
    pub(in crate::ledger) async fn sealed_with(
        &self,
        job: JobId,
        index: u64,
    ) -> Result<Vec<Verdict>, StoreError> {
        let sealed = self.sealed_segments(job).await?;
        let listed = sealed.into_iter().find(|segment| segment.contains(index));
        let segment = match listed {
            Some(segment) => Some(segment),
            None => self.segment_of(job, index).await?,
        };
        let Some(segment) = segment else {
            return Ok(Vec::new());
        };
        match self.sealed_verdicts(job, segment).await {
            Err(StoreError::Missing { .. }) => Ok(Vec::new()),
            sealed => sealed,
        }
    }

    /// Sealed segments, ascending.
    pub async fn sealed_segments(&self, job: JobId) -> Result<Vec<Segment>, StoreError> {
        let names = self.store.names(&layout::results(job)).await?;
        Ok(Segment::among(&names))
    }

    async fn sealed_verdicts(
        &self,
        job: JobId,
        segment: Segment,
    ) -> Result<Vec<Verdict>, StoreError> {
        self.read_lines(&layout::result(job, &segment.to_string()), advice::DETAIL)
            .await
    }

    /// Writes the verdicts of a segment as one object, then removes the commit records. The first seal counts. Every datum of the segment has
    /// ended or was skipped; `verdicts` is sorted by index.
    pub async fn seal(
        &self,
        job: JobId,
        segment: Segment,
        verdicts: &[Verdict],
    ) -> Result<(), StoreError> {
        let key = layout::result(job, &segment.to_string());
        let bytes = to_json_lines(&key, verdicts)?;
        match self.store.create(&key, bytes.clone()).await {
            // Sealed before, by us or by an earlier leader. A damaged seal is replaced.
            Err(StoreError::Exists { .. }) => match self.record_bytes(&key, advice::DETAIL).await {
                Err(StoreError::Corrupt { .. }) => self.store.put(&key, bytes).await?,
                sealed => drop(sealed?),
            },
            created => created?,
        }
        // The commit records are removed next.
        self.store.persist(&key).await?;
        let records = self.commit_records(job, segment).await?;
        let records = records.into_iter().map(|record| record.key(job));
        self.store.recycle_each(records.collect()).await
    }

    /// The verdicts of a segment, sealed or not, sorted by index.
    pub async fn verdicts(&self, job: JobId, segment: Segment) -> Result<Vec<Verdict>, StoreError> {
        self.sample_verdicts(job, segment, 1).await
    }

    /// Every `nth` of the [`verdicts`](Ledger::verdicts) of a segment, beginning with the first, for a rough view of a
    /// large job. The other verdicts are not decoded. `nth` is at least 1.
    pub async fn sample_verdicts(
        &self,
        job: JobId,
        segment: Segment,
        nth: usize,
    ) -> Result<Vec<Verdict>, StoreError> {
        let key = layout::result(job, &segment.to_string());
        match self.sample_lines(&key, nth, advice::DETAIL).await {
            Err(StoreError::Missing { .. }) => {
                let verdicts = self.unsealed_verdicts(job, segment).await?;
                Ok(verdicts.into_values().step_by(nth).collect())
            }
            sampled => sampled,
        }
    }
}

/// How the commit of `mine` went, where `earlier` was found. Finding one's own is winning: the answer to an
/// earlier try was lost.
fn outcome(mine: &Verdict, earlier: Verdict) -> Commit {
    if *mine == earlier {
        Commit::Won
    } else {
        Commit::Lost(Box::new(earlier))
    }
}
