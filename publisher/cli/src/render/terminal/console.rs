//! The two streams: standard output is data, standard error is talk. Nothing else writes to them.

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use crate::args::Format;
use crate::render::Palette;

/// The two streams of this process.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// How data is printed.
    pub format: Format,
    /// Colours of standard output.
    pub out: Palette,
    /// Colours of standard error.
    pub err: Palette,
}

impl Console {
    /// The streams of this process.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            out: Palette::stdout(),
            err: Palette::stderr(),
        }
    }

    /// Standard output, for a number of lines.
    pub fn data(&self) -> Lines {
        Lines {
            out: BufWriter::new(io::stdout()),
        }
    }

    /// Says something on standard error. When nobody can hear it, nothing is lost.
    pub fn talk(&self, text: impl AsRef<str>) {
        let _ = writeln!(io::stderr(), "{}", text.as_ref());
    }
}

/// Lines for standard output; ended by [`Lines::finish`].
#[derive(Debug)]
pub struct Lines {
    out: BufWriter<Stdout>,
}

impl Lines {
    /// One line, or several.
    pub fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// One line for each.
    pub fn lines(&mut self, texts: &[String]) -> io::Result<()> {
        texts.iter().try_for_each(|text| self.line(text))
    }

    /// One JSON object on a line.
    pub fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        self.out.write_all(b"\n")
    }

    /// Bytes as they are, with a line break.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.write_all(b"\n")
    }

    /// What was written so far can be seen.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// All is written.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
