//! The name of a place in a spec, such as `input.cross[1].pfs.glob`.

use std::fmt;

/// A place in a spec; empty for the document as a whole.
#[derive(Clone, Debug, Default)]
pub(in crate::pipeline) struct Path(Vec<Segment>);

/// A step into a document.
#[derive(Clone, Debug)]
pub(super) enum Segment {
    Field(String),
    Index(usize),
}

impl Path {
    /// The path of the document itself.
    pub(in crate::pipeline) fn root() -> Self {
        Self::default()
    }

    /// A field of the object here.
    pub(in crate::pipeline) fn field(&self, name: &str) -> Self {
        self.with(Segment::Field(name.to_owned()))
    }

    /// An item of the list here, counted from 0.
    pub(in crate::pipeline) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// The names of the document, of all values around the place, and of the place itself.
    pub(in crate::pipeline) fn and_enclosing(&self) -> Vec<String> {
        let around = (0..=self.0.len()).map(|length| Self(self.0[..length].to_vec()).to_string());
        around.collect()
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    fn with(&self, segment: Segment) -> Self {
        Self(self.0.iter().cloned().chain([segment]).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if number == 0 => out.write_str(name)?,
                Segment::Field(name) => write!(out, ".{name}")?,
                Segment::Index(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}
