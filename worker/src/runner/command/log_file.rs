//! Log file: created at the first record, bounded by dropping the middle. A full disk does not stop the command.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// A log within its limit consists of at least so many pieces, so the kept amount does not depend on the size
/// of single writes.
const PIECES: u64 = 64;

/// A log file that is being written.
pub(super) struct LogFile {
    path: PathBuf,
    limit: u64,
    head: Option<LogPart>,
    tail: Option<LogTail>,
    /// Bytes that could not be written, since the last remark on losses.
    lost: u64,
    trouble: Option<io::Error>,
}

/// A file that ends with a complete record.
struct LogPart {
    file: File,
    length: u64,
}

/// The tail of a log that is too long: two files in turn, one always full.
struct LogTail {
    older: LogPart,
    newer: LogPart,
    dropped: u64,
}

impl LogFile {
    /// A log file at `path`, created at the first record.
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self {
            path,
            limit,
            head: None,
            tail: None,
            lost: 0,
            trouble: None,
        }
    }

    /// Appends complete records. Bytes that cannot be written are counted.
    pub(super) fn append(&mut self, records: &[u8]) {
        for few in pieces(records, self.limit / PIECES) {
            self.append_few(few);
        }
    }

    fn append_few(&mut self, records: &[u8]) {
        if let Err(error) = self.say_what_was_lost().and_then(|()| self.write(records)) {
            self.lost += records.len() as u64;
            self.trouble = Some(error);
        }
    }

    /// Joins head and tail; returns the size and the reason for missing records.
    pub(super) fn finish(mut self) -> (u64, Option<String>) {
        let joined = self.join();
        if let Err(error) = joined.and_then(|()| self.say_what_was_lost()) {
            self.trouble = Some(error);
            self.overwrite_the_end();
        }
        let trouble = self
            .trouble
            .map(|error| format!("not all output could be logged: {error}"));
        (self.head.map_or(0, |head| head.length), trouble)
    }

    fn write(&mut self, records: &[u8]) -> io::Result<()> {
        let head = LogPart::made(&mut self.head, &self.path)?;
        if self.tail.is_none() && head.length + records.len() as u64 <= self.limit / 2 {
            return head.append(records);
        }
        let tail = match &mut self.tail {
            Some(tail) => tail,
            None => self.tail.insert(LogTail::beside(&self.path)?),
        };
        tail.append(records, self.limit / 4)
    }

    /// Appends the tail to the head.
    fn join(&mut self) -> io::Result<()> {
        let (Some(head), Some(mut tail)) = (&mut self.head, self.tail.take()) else {
            return Ok(());
        };
        if tail.dropped > 0 {
            let limit = self.limit;
            head.append(&remark(&format!(
                "{} bytes of log dropped here, to keep it within {limit} bytes",
                tail.dropped
            )))?;
        }
        head.append_all_of(&mut tail.older)
            .and_then(|()| head.append_all_of(&mut tail.newer))
            .inspect_err(|_| {
                self.lost += tail.older.length + tail.newer.length;
            })
    }

    fn say_what_was_lost(&mut self) -> io::Result<()> {
        if self.lost > 0 {
            let remark = self.remark_on_loss();
            self.write(&remark)?;
            self.lost = 0;
        }
        Ok(())
    }

    fn remark_on_loss(&self) -> Vec<u8> {
        let why = self
            .trouble
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        remark(&format!("{} bytes of log lost here: {why}", self.lost))
    }

    /// Replaces the last records by a remark on the loss, since that needs no space.
    fn overwrite_the_end(&mut self) {
        let remark = self.remark_on_loss();
        if let Some(head) = &mut self.head {
            let _ = head.replace_end(&remark);
        }
    }
}

impl LogPart {
    fn made<'a>(slot: &'a mut Option<Self>, path: &Path) -> io::Result<&'a mut Self> {
        let made = match slot.take() {
            Some(part) => part,
            None => Self {
                file: File::options()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .open(path)?,
                length: 0,
            },
        };
        Ok(slot.insert(made))
    }

    /// Appends all of `records` or nothing.
    fn append(&mut self, records: &[u8]) -> io::Result<()> {
        match self.file.write_all(records) {
            Ok(()) => self.length += records.len() as u64,
            Err(error) => {
                let _ = self.cut(self.length); // what matters is why it could not be written
                return Err(error);
            }
        }
        Ok(())
    }

    fn append_all_of(&mut self, other: &mut Self) -> io::Result<()> {
        other.file.rewind()?;
        match io::copy(&mut other.file, &mut self.file) {
            Ok(copied) => self.length += copied,
            Err(error) => {
                let _ = self.cut(self.length); // what matters is why it could not be written
                return Err(error);
            }
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        self.length = length;
        Ok(())
    }

    /// Replaces as many of the last records as `remark` needs.
    fn replace_end(&mut self, remark: &[u8]) -> io::Result<()> {
        let room = remark.len() as u64;
        let from = self.length.saturating_sub(room + 32 * 1024);
        self.file.seek(SeekFrom::Start(from))?;
        let mut end = Vec::new();
        (&self.file)
            .take(self.length - from)
            .read_to_end(&mut end)?;
        let last_start = usize::try_from((self.length - from).saturating_sub(room)).unwrap_or(0);
        let start = end[..last_start]
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |newline| newline + 1);
        self.cut(from + start as u64)?;
        self.append(remark)
    }
}

impl LogTail {
    /// Unnamed files in the directory of the log.
    fn beside(log: &Path) -> io::Result<Self> {
        let directory = log.parent().unwrap_or(Path::new("."));
        let part = || tempfile::tempfile_in(directory).map(|file| LogPart { file, length: 0 });
        Ok(Self {
            older: part()?,
            newer: part()?,
            dropped: 0,
        })
    }

    fn append(&mut self, records: &[u8], limit: u64) -> io::Result<()> {
        if self.newer.length + records.len() as u64 > limit {
            std::mem::swap(&mut self.older, &mut self.newer);
            self.dropped += self.newer.length;
            self.newer.cut(0)?;
        }
        self.newer.append(records)
    }
}

/// Pure: complete records split into pieces of at most `most` bytes, or of one longer record.
fn pieces(mut records: &[u8], most: u64) -> impl Iterator<Item = &[u8]> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let newline = |byte: &u8| *byte == b'\n';
    std::iter::from_fn(move || {
        let last = records[..records.len().min(most)].iter().rposition(newline);
        let end = match last.or_else(|| records.iter().position(newline)) {
            Some(end) if records.len() > most => end + 1,
            _ => records.len(),
        };
        let (piece, rest) = records.split_at(end);
        records = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// A log record by Drover.
fn remark(text: &str) -> Vec<u8> {
    format!("{} stderr F [drover: {text}]\n", now()).into_bytes()
}

/// The current time in the format of log lines.
pub(super) fn now() -> String {
    format!("{:.6}", Timestamp::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_records_and_all_of_them() {
        let rows: [(&str, u64, &[&str]); 6] = [
            ("", 4, &[]),
            ("a\nb\n", 9, &["a\nb\n"]),
            ("a\nb\nc\n", 4, &["a\nb\n", "c\n"]),
            ("a\nb\nc\n", 3, &["a\n", "b\n", "c\n"]),
            ("longer\nb\n", 3, &["longer\n", "b\n"]),
            ("a\nb\n", 0, &["a\n", "b\n"]),
        ];
        for (records, most, expected) in rows {
            let cut: Vec<&[u8]> = pieces(records.as_bytes(), most).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|piece| piece.as_bytes()).collect();
            assert_eq!(cut, expected, "{records:?} by {most}");
        }
    }

    #[test]
    fn the_kept_amount_does_not_depend_on_the_size_of_writes() {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<String> = (0..20_000).map(|number| format!("{number:09}\n")).collect();
        for at_once in [1, 100, 20_000] {
            let path = folder.path().join(at_once.to_string());
            let mut log = LogFile::new(path.clone(), 64_000);
            for some in lines.chunks(at_once) {
                log.append(some.concat().as_bytes());
            }
            let (length, trouble) = log.finish();
            assert_eq!(trouble, None);
            assert!((45_000..64_200).contains(&length), "{at_once}: {length}");
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.starts_with(&lines[0]) && text.ends_with(&lines[19_999]));
        }
    }
}
