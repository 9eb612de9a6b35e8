//! The done index as bytes.
//!
//! ```text
//! magic      16 bytes, "drover-done   1\n"; the number is the version
//! jobs       number of jobs (4 bytes), then their ids (16 bytes each)
//! records    28 bytes each, sorted by datum: datum id (16), number of the job in the list (4), index in it (8)
//! checksum   the first 16 bytes of the BLAKE3 hash of all before it
//! ```
//! Numbers are little-endian.

use std::io::{self, Write};
use std::iter::Peekable;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::id::{DatumId, JobId};

const MAGIC: &[u8; 16] = b"drover-done   1\n";
const CHECKSUM_BYTES: usize = 16;

/// Size of a record.
pub(super) const RECORD_BYTES: usize = 28;

/// Where a piece of work was done: datum `index` of `job`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct DoneRef {
    /// The job.
    pub job: JobId,
    /// Index of the datum in the job.
    pub index: u64,
}

/// A done index, whole and checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DoneTable {
    jobs: Vec<JobId>,
    pub(super) records: Bytes,
}

/// A success that is not in the index yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Success {
    pub(super) datum: DatumId,
    pub(super) index: u64,
}

impl DoneTable {
    /// Parses an index; the error says why the bytes are not an index.
    pub(super) fn parse(bytes: &Bytes) -> Result<Self, &'static str> {
        const SHORT: &str = "it is cut off";
        let end = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or(SHORT)?;
        let (body, checksum) = bytes.split_at(end);
        let rest = body
            .strip_prefix(MAGIC)
            .ok_or("it is not of this version of Drover")?;
        if blake3::hash(body).as_bytes()[..CHECKSUM_BYTES] != *checksum {
            return Err("its checksum is wrong");
        }
        let (count, rest) = rest.split_first_chunk().ok_or(SHORT)?;
        let count = u32::from_le_bytes(*count) as usize;
        let (jobs, records) = rest.split_at_checked(count * 16).ok_or(SHORT)?;
        if records.len() % RECORD_BYTES != 0 {
            return Err(SHORT);
        }
        let (ids, _) = jobs.as_chunks();
        let index = Self {
            jobs: ids.iter().map(|id| JobId::from_bytes(*id)).collect(),
            records: bytes.slice_ref(records),
        };
        if (0..records.len() / RECORD_BYTES).any(|n| index.job_number(index.record(n)) >= count) {
            return Err("it names a job that it does not list");
        }
        Ok(index)
    }

    /// The `n`th record.
    pub(super) fn record(&self, n: usize) -> &[u8] {
        &self.records[n * RECORD_BYTES..][..RECORD_BYTES]
    }

    #[expect(clippy::unused_self, reason = "it reads a record of this index")]
    fn job_number(&self, record: &[u8]) -> usize {
        u32::from_le_bytes(field(record, 16)) as usize
    }

    /// The job and index that a record refers to.
    pub(super) fn reference(&self, record: &[u8]) -> DoneRef {
        DoneRef {
            job: self.jobs[self.job_number(record)],
            index: u64::from_le_bytes(field(record, 20)),
        }
    }

    /// Writes the index merged with the successes of `job` (sorted by datum, then index). For equal work the later
    /// job counts, and within a job the first datum.
    pub(super) fn merge(
        &self,
        job: JobId,
        successes: &[Success],
        to: impl Write,
    ) -> io::Result<()> {
        let mut jobs = self.jobs.clone();
        let number = jobs
            .iter()
            .position(|known| *known == job)
            .unwrap_or_else(|| {
                jobs.push(job);
                jobs.len() - 1
            });
        let number = u32::try_from(number).map_err(io::Error::other)?;
        let mut to = ChecksumWriter::begin(to, &jobs)?;
        let mut new = successes.iter().peekable();
        for n in 0..self.records.len() / RECORD_BYTES {
            let old = self.record(n);
            while let Some(success) =
                new.next_if(|success| success.datum.to_bytes()[..] < old[..16])
            {
                write_success(&mut to, success, number, &mut new)?;
            }
            match new.next_if(|success| success.datum.to_bytes()[..] == old[..16]) {
                Some(success) if self.reference(old).job <= job => {
                    write_success(&mut to, success, number, &mut new)?;
                }
                Some(success) => {
                    skip_equal(success, &mut new);
                    to.write_all(old)?;
                }
                None => to.write_all(old)?,
            }
        }
        while let Some(success) = new.next() {
            write_success(&mut to, success, number, &mut new)?;
        }
        to.end()
    }

    /// Writes the index without the given work, which is sorted.
    pub(super) fn without(&self, forgotten: &[DatumId], to: impl Write) -> io::Result<()> {
        let mut to = ChecksumWriter::begin(to, &self.jobs)?;
        for n in 0..self.records.len() / RECORD_BYTES {
            let record = self.record(n);
            let found = forgotten.binary_search_by(|datum| datum.to_bytes()[..].cmp(&record[..16]));
            if found.is_err() {
                to.write_all(record)?;
            }
        }
        to.end()
    }
}

impl DoneTable {
    /// Writes the records for which `keep` (given their number) is true, and lists only jobs that are in use.
    pub(super) fn retain(&self, keep: impl Fn(usize) -> bool, to: impl Write) -> io::Result<()> {
        let kept = || {
            (0..self.records.len() / RECORD_BYTES)
                .filter(|n| keep(*n))
                .map(|n| self.record(n))
        };
        let mut is_used = vec![false; self.jobs.len()];
        for record in kept() {
            is_used[self.job_number(record)] = true;
        }
        let used = self
            .jobs
            .iter()
            .zip(&is_used)
            .filter(|(_, is_used)| **is_used);
        let jobs: Vec<JobId> = used.map(|(job, _)| *job).collect();
        let mut next = 0;
        let numbers: Vec<u32> = is_used
            .iter()
            .map(|is_used| {
                next += u32::from(*is_used);
                next.saturating_sub(1)
            })
            .collect();
        let mut to = ChecksumWriter::begin(to, &jobs)?;
        for record in kept() {
            to.write_all(&record[..16])?;
            to.write_all(&numbers[self.job_number(record)].to_le_bytes())?;
            to.write_all(&record[20..])?;
        }
        to.end()
    }
}

/// Writes a success, and passes over equal work of the same job.
fn write_success<'a>(
    to: &mut impl Write,
    success: &Success,
    job: u32,
    new: &mut Peekable<impl Iterator<Item = &'a Success>>,
) -> io::Result<()> {
    skip_equal(success, new);
    to.write_all(&success.datum.to_bytes())?;
    to.write_all(&job.to_le_bytes())?;
    to.write_all(&success.index.to_le_bytes())
}

/// Skips successes of the same work as `success`.
fn skip_equal<'a>(success: &Success, new: &mut Peekable<impl Iterator<Item = &'a Success>>) {
    while new.next_if(|next| next.datum == success.datum).is_some() {}
}

fn field<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[at..at + N]);
    bytes
}

/// A writer that appends a checksum at the end.
struct ChecksumWriter<W> {
    to: W,
    hasher: blake3::Hasher,
}

impl<W: Write> ChecksumWriter<W> {
    fn begin(to: W, jobs: &[JobId]) -> io::Result<Self> {
        let mut checked = Self {
            to,
            hasher: blake3::Hasher::new(),
        };
        checked.write_all(MAGIC)?;
        let count = u32::try_from(jobs.len()).map_err(io::Error::other)?;
        checked.write_all(&count.to_le_bytes())?;
        for job in jobs {
            checked.write_all(&job.to_bytes())?;
        }
        Ok(checked)
    }

    fn end(mut self) -> io::Result<()> {
        let hash = self.hasher.finalize();
        self.to.write_all(&hash.as_bytes()[..CHECKSUM_BYTES])?;
        self.to.flush()
    }
}

impl<W: Write> Write for ChecksumWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
