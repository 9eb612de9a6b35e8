//! The two streams: standard output carries data, standard error carries messages. All output goes through the file.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use crate::args::Format;
use crate::render::Palette;

/// The two streams of the current process.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Format of data.
    pub format: Format,
    /// True if only data and errors are printed.
    pub quiet: bool,
    /// Colours of standard output.
    pub out: Palette,
    /// Colours of standard error.
    pub err: Palette,
}

impl Console {
    /// Creates the console of the current process.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            quiet: false,
            out: Palette::stdout(),
            err: Palette::stderr(),
        }
    }

    /// A writer for standard output.
    pub fn data(&self) -> LineWriter {
        LineWriter {
            out: BufWriter::new(io::stdout()),
        }
    }

    /// Writes a message to standard error, unless the console is quiet.
    pub fn message(&self, text: impl AsRef<str>) {
        if !self.quiet {
            self.error(text);
        }
    }

    /// Writes an error to standard error. Failures are ignored: without a reader nothing is lost.
    pub fn error(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr(), "{}", text.as_ref());
    }
}

/// Standard output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output")]
pub struct OutputError(#[from] io::Error);

impl OutputError {
    /// True if the reader of standard output is gone.
    pub fn is_broken_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Line writer for standard output; call [`LineWriter::finish`] at the end.
#[derive(Debug)]
pub struct LineWriter {
    out: BufWriter<Stdout>,
}

impl LineWriter {
    /// Writes a text and a line break.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<(), OutputError> {
        Ok(writeln!(self.out, "{}", text.as_ref())?)
    }

    /// Writes each text as a line.
    pub fn lines(&mut self, texts: &[String]) -> Result<(), OutputError> {
        texts.iter().try_for_each(|text| self.line(text))
    }

    /// Writes a JSON object as a line.
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Writes bytes unchanged, and a line break.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.out.write_all(bytes)?;
        Ok(self.out.write_all(b"\n")?)
    }

    /// Writes bytes unchanged, without a line break.
    pub fn raw_part(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        Ok(self.out.write_all(bytes)?)
    }

    /// Flushes the buffer.
    pub fn flush(&mut self) -> Result<(), OutputError> {
        Ok(self.out.flush()?)
    }

    /// Flushes the buffer and ends the output.
    pub fn finish(mut self) -> Result<(), OutputError> {
        self.flush()
    }
}
