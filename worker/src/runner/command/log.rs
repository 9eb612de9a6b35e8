//! The log of an attempt: what the command wrote on stdout and stderr, line by line, in memory and on disk within bounds.

use std::path::PathBuf;

use jiff::Timestamp;

use super::line_splitter::LineSplitter;
use super::log_file::LogFile;

/// Where a line came from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// The name it has in the log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// The log of an attempt that runs.
pub(super) struct CommandLog {
    stdout: LineSplitter,
    stderr: LineSplitter,
    file: LogFile,
    records: Vec<u8>,
}

/// What is kept of an attempt's output.
pub(super) struct LogSummary {
    /// The last line of stderr that is not blank, else of stdout.
    pub(super) last_line: String,
    /// Size of the log file.
    pub(super) bytes: u64,
    /// What could not be written, and why.
    pub(super) trouble: Option<String>,
}

impl CommandLog {
    /// A log at `path`, where there is no file until there is something to write.
    pub(super) fn new(path: PathBuf, limit: u64) -> Self {
        Self {
            stdout: LineSplitter::of(Stream::Stdout),
            stderr: LineSplitter::of(Stream::Stderr),
            file: LogFile::new(path, limit),
            records: Vec::new(),
        }
    }

    /// Takes what the command just wrote.
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        self.records.clear();
        let now = now();
        match stream {
            Stream::Stdout => self.stdout.take(bytes, &now, &mut self.records),
            Stream::Stderr => self.stderr.take(bytes, &now, &mut self.records),
        }
        self.file.append(&self.records);
    }

    /// Writes what is left of unfinished lines.
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

/// The moment, as log lines begin with it.
pub(super) fn now() -> String {
    format!("{:.6}", Timestamp::now())
}
