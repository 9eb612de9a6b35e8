//! The log of an attempt: stdout and stderr of the command, line by line, bounded in memory and on disk.

use std::path::PathBuf;

use super::line_splitter::{LineSplitter, Stream};
use super::log_file::{LogFile, now};

/// The log of a running attempt.
pub(super) struct CommandLog {
    stdout: LineSplitter,
    stderr: LineSplitter,
    file: LogFile,
    records: Vec<u8>,
}

/// Summary of a finished log.
pub(super) struct LogSummary {
    /// The last line of stderr that is not blank, else of stdout.
    pub(super) last_line: String,
    /// Size of the log file in bytes.
    pub(super) bytes: u64,
    /// Reason for missing output.
    pub(super) trouble: Option<String>,
}

impl CommandLog {
    /// A log at `path`; the file is created at the first output.
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self {
            stdout: LineSplitter::of(Stream::Stdout),
            stderr: LineSplitter::of(Stream::Stderr),
            file: LogFile::new(path, limit),
            records: Vec::new(),
        }
    }

    /// Appends output of the command.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        self.records.clear();
        let now = now();
        match stream {
            Stream::Stdout => self.stdout.take(bytes, &now, &mut self.records),
            Stream::Stderr => self.stderr.take(bytes, &now, &mut self.records),
        }
        self.file.append(&self.records);
    }

    /// Writes unfinished lines and closes the log.
    pub(super) fn finish(mut self) -> LogSummary {
        self.records.clear();
        if self.stdout.is_amid_line() || self.stderr.is_amid_line() {
            let now = now();
            self.stdout.finish(&now, &mut self.records);
            self.stderr.finish(&now, &mut self.records);
            self.file.append(&self.records);
        }
        let last_line = self
            .stderr
            .last_line()
            .or_else(|| self.stdout.last_line())
            .unwrap_or_default();
        let (bytes, trouble) = self.file.finish();
        LogSummary {
            last_line,
            bytes,
            trouble,
        }
    }
}
