//! Reading the logs of attempts.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use drover_shared::id::JobId;
use drover_shared::ledger::{Ledger, LogFile};
use drover_shared::store::{Store, StoreError, StoreKey};

use super::log_lines::MAX_LINE_BYTES;
use super::{LogLine, LogLines};

/// The attempt that printed a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// The datum's place in its job.
    pub index: u64,
    /// None for `err_cmd`.
    pub attempt: Option<u32>,
}

/// The logs of a datum. The logs of a failure that was taken over lie with the earlier job.
pub async fn logs_of(ledger: &Ledger, job: JobId, index: u64) -> Result<Vec<LogFile>, StoreError> {
    let logs = ledger.logs(job, index).await?;
    if !logs.is_empty() {
        return Ok(logs);
    }
    let verdict = ledger.committed(job, index).await?;
    match verdict.and_then(|verdict| verdict.taken_from) {
        Some(earlier) => ledger.logs(earlier, index).await,
        None => Ok(logs),
    }
}

/// The attempt of a log, from the name `….<attempt>.log`; none for `err_cmd`.
pub fn attempt(name: &str) -> Option<u32> {
    let stem = name.strip_suffix(".log").unwrap_or(name);
    stem.rsplit('.')
        .next()
        .and_then(|number| number.parse().ok())
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The local machine.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Passes the lines of a log to `each` until `each` breaks.
pub fn each_line<E: From<io::Error>>(
    mut log: impl BufRead,
    mut each: impl FnMut(LogLine) -> Result<ControlFlow<()>, E>,
) -> Result<(), E> {
    let mut lines = LogLines::default();
    let mut raw = Vec::new();
    // A record is longer than a line by its head only, unless something else wrote the file.
    let most = 2 * MAX_LINE_BYTES as u64;
    while log.by_ref().take(most).read_until(b'\n', &mut raw)? > 0 {
        let line = lines.push(raw.strip_suffix(b"\n").unwrap_or(&raw));
        raw.clear();
        if let Some(line) = line
            && each(line)?.is_break()
        {
            return Ok(());
        }
    }
    for line in lines.rest() {
        if each(line)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// The last lines of a log, in bounded memory.
#[derive(Debug)]
pub struct LogTail<T = LogLine> {
    lines: VecDeque<(T, usize)>,
    most_lines: usize,
    bytes: usize,
    most_bytes: usize,
    /// Lines that were dropped.
    dropped: u64,
}

impl<T> LogTail<T> {
    /// Keeps at most so many lines, and bytes of text.
    pub fn new(most_lines: usize, most_bytes: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            most_lines,
            bytes: 0,
            most_bytes,
            dropped: 0,
        }
    }

    /// Adds a line with so many bytes of text, and drops the oldest ones that are too many.
    pub fn push(&mut self, line: T, size: usize) {
        self.bytes += size;
        self.lines.push_back((line, size));
        while self.lines.len() > self.most_lines || self.bytes > self.most_bytes {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= oldest.1;
            self.dropped += 1;
        }
    }

    /// The lines, and how many were dropped before them.
    pub fn finish(self) -> (Vec<T>, u64) {
        let lines = self.lines.into_iter().map(|(line, _)| line);
        (lines.collect(), self.dropped)
    }
}

/// Opens a log for reading; a log in a bucket is downloaded to a temporary file first.
pub async fn open_log(store: &Store, key: &StoreKey) -> Result<BufReader<File>, LogError> {
    if let Some(opened) = store.open_local(key) {
        return Ok(BufReader::new(opened?));
    }
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("log");
    store.download(key, &copy).await?;
    Ok(BufReader::new(File::open(copy)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_line_breaks_is_read_in_bounded_pieces() {
        let endless = io::repeat(b'x').take(20 * MAX_LINE_BYTES as u64);
        let mut sizes = Vec::new();
        let read = each_line(BufReader::new(endless), |line| {
            sizes.push(line.text.len());
            io::Result::Ok(ControlFlow::Continue(()))
        });
        read.unwrap();
        assert_eq!(sizes, [2 * MAX_LINE_BYTES; 10]);
    }

    #[test]
    fn a_tail_keeps_the_last_lines_and_bytes() {
        let line = |text: &str| LogLine {
            text: text.into(),
            ..LogLine::default()
        };
        let texts = |mut tail: LogTail<LogLine>| {
            for text in ["aa", "bb", "cc"] {
                tail.push(line(text), text.len());
            }
            let (lines, dropped) = tail.finish();
            let texts: Vec<Vec<u8>> = lines.into_iter().map(|line| line.text).collect();
            (texts.concat(), dropped)
        };
        assert_eq!(texts(LogTail::new(2, 100)), (b"bbcc".to_vec(), 1));
        assert_eq!(texts(LogTail::new(10, 3)), (b"cc".to_vec(), 2));
        assert_eq!(texts(LogTail::new(10, 1)), (Vec::new(), 3));
    }
}
