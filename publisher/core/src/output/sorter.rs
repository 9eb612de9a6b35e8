//! Sorts more than fits in memory: sorted runs in one nameless scratch file, merged when read.

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

/// Items held in memory before they become a run. About 2 MB of output records.
const RUN: usize = 8192;
/// Bytes of a run held in memory while merging.
const BUFFER: usize = 8192;

/// Takes items in any order, gives them back sorted. Equal items all come back.
///
/// The scratch file has no name: whatever happens to this process, nothing is left behind.
#[derive(Debug)]
pub(super) struct Sorter<T> {
    scratch: PathBuf,
    fresh: Vec<T>,
    spilled: Option<Spilled>,
}

/// Runs written so far, one after the other in one file.
#[derive(Debug)]
struct Spilled {
    file: Arc<File>,
    ends: Vec<u64>,
}

impl<T: Ord + Serialize + DeserializeOwned> Sorter<T> {
    /// A sorter that spills into the folder `scratch`.
    pub(super) fn new(scratch: &Path) -> Self {
        Self {
            scratch: scratch.to_owned(),
            fresh: Vec::new(),
            spilled: None,
        }
    }

    /// Takes one more item.
    pub(super) fn push(&mut self, item: T) -> io::Result<()> {
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
    pub(super) fn sorted(mut self) -> io::Result<Sorted<T>> {
        self.fresh.sort_unstable();
        let mut runs = vec![Run::Memory(self.fresh.into_iter())];
        if let Some(spilled) = self.spilled {
            let mut from = 0;
            for end in spilled.ends {
                let section = Section {
                    file: Arc::clone(&spilled.file),
                    at: from,
                    end,
                };
                runs.push(Run::File(
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

/// Sorted items, merged from the runs as they are asked for.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    runs: Vec<Run<T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
}

#[derive(Debug)]
enum Run<T> {
    Memory(std::vec::IntoIter<T>),
    File(BufReader<Section>, PhantomData<T>),
}

impl<T: DeserializeOwned> Run<T> {
    fn next(&mut self) -> Option<io::Result<T>> {
        match self {
            Run::Memory(items) => items.next().map(Ok),
            Run::File(reader, _) => read_line(reader).transpose(),
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

/// A part of a file, read at its own place.
#[derive(Debug)]
struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = self.file.read_at(&mut buffer[..wanted], self.at)?;
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
