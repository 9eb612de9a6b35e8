//! External merge sort: sorted runs in one nameless scratch file, merged when read.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Items per run held in memory, about 2 MB of output records.
const RUN: usize = 8192;
/// Read buffer per run while merging, in bytes.
const BUFFER: usize = 8192;

/// Accepts items in any order and returns them sorted, with duplicates.
///
/// The scratch file has no name, so a crash leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Sorter<T> {
    scratch: PathBuf,
    fresh: Vec<T>,
    spilled: Option<Spilled>,
}

/// Runs written so far, consecutive in one file.
#[derive(Debug)]
struct Spilled {
    file: Arc<File>,
    ends: Vec<u64>,
}

impl<T: Ord + Serialize + DeserializeOwned> Sorter<T> {
    /// A sorter that spills into the folder `scratch`.
    pub(crate) fn new(scratch: &Path) -> Self {
        Self {
            scratch: scratch.to_owned(),
            fresh: Vec::new(),
            spilled: None,
        }
    }

    /// Adds an item.
    pub(crate) fn push(&mut self, item: T) -> io::Result<()> {
        self.fresh.push(item);
        if self.fresh.len() >= RUN {
            self.spill()
        } else {
            Ok(())
        }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.fresh.sort_unstable();
        let mut lines = Vec::with_capacity(self.fresh.len() * 128);
        for item in self.fresh.drain(..) {
            serde_json::to_writer(&mut lines, &item)?;
            lines.push(b'\n');
        }
        let spilled = match &mut self.spilled {
            Some(spilled) => spilled,
            none => none.insert(Spilled {
                file: Arc::new(tempfile::tempfile_in(&self.scratch)?),
                ends: Vec::new(),
            }),
        };
        spilled.file.as_ref().write_all(&lines)?;
        let before = spilled.ends.last().copied().unwrap_or(0);
        spilled
            .ends
            .push(before + u64::try_from(lines.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// All items, sorted, read lazily.
    pub(crate) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.fresh.sort_unstable();
        let mut runs = vec![SortedRun::Memory(self.fresh.into_iter())];
        if let Some(spilled) = self.spilled {
            let mut from = 0;
            for end in spilled.ends {
                let section = FileSection {
                    file: Arc::clone(&spilled.file),
                    at: from,
                    end,
                };
                runs.push(SortedRun::File(
                    BufReader::with_capacity(BUFFER, section),
                    PhantomData,
                ));
                from = end;
            }
        }
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next().transpose()?.map(|item| Reverse((item, number))));
        }
        Ok(Sorted { runs, heads })
    }
}

/// Sorted items, merged lazily from the runs.
#[derive(Debug)]
pub(crate) struct Sorted<T> {
    runs: Vec<SortedRun<T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

#[derive(Debug)]
enum SortedRun<T> {
    Memory(std::vec::IntoIter<T>),
    File(BufReader<FileSection>, PhantomData<T>),
}

impl<T: DeserializeOwned> SortedRun<T> {
    fn next(&mut self) -> Option<io::Result<T>> {
        match self {
            SortedRun::Memory(items) => items.next().map(Ok),
            SortedRun::File(reader, _) => read_line(reader).transpose(),
        }
    }
}

fn read_line<T: DeserializeOwned>(reader: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

impl<T: Ord + DeserializeOwned> Iterator for Sorted<T> {
    type Item = io::Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((item, number)) = self.heads.pop()?;
        match self.runs[number].next() {
            Some(Ok(next)) => self.heads.push(Reverse((next, number))),
            Some(Err(error)) => return Some(Err(error)),
            None => {}
        }
        Some(Ok(item))
    }
}

/// A part of a file with its own read position.
#[derive(Debug)]
struct FileSection {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for FileSection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += u64::try_from(read).unwrap_or(0);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(items: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let scratch = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(scratch.path());
        for item in items {
            sorter.push(item).unwrap();
        }
        assert_eq!(
            std::fs::read_dir(scratch.path()).unwrap().count(),
            0,
            "the scratch file has a name"
        );
        sorter.sorted().unwrap().collect::<io::Result<_>>().unwrap()
    }

    #[test]
    fn what_does_not_fit_in_memory_comes_back_sorted() {
        let many = 3 * u64::try_from(RUN).unwrap() + 17;
        let scrambled = (0..many).map(|item| item * 7919 % many);
        assert_eq!(sorted(scrambled), (0..many).collect::<Vec<_>>());
    }

    #[test]
    fn equal_items_all_come_back() {
        assert_eq!(sorted([2, 1, 2, 1]), [1, 1, 2, 2]);
        assert_eq!(sorted([]), [] as [u64; 0]);
    }
}
