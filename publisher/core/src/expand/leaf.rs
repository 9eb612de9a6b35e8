//! A pfs leaf: one datum per selected file or directory, in order.

use std::sync::Arc;

use drover_shared::datum::DatumInput;
use drover_shared::glob::{Captures, GlobTooComplex};
use drover_shared::pipeline::PfsInput;
use drover_shared::store::StoreError;

use super::finder::{InputFinder, MatchedInput};
use super::selection::Selection;
use super::stream::{InputStream, Inputs, deferred};
use super::{ExpandError, Listing, Listings};

/// The inputs of a leaf, one per datum. The listing is opened lazily, so the second of two leaves over one folder
/// finds the content hashes cached by the first.
pub(super) fn leaf(settings: &PfsInput, listings: &Arc<dyn Listings>) -> InputStream {
    let (settings, listings) = (settings.clone(), listings.clone());
    deferred(move || Ok(Box::new(Leaf::open(settings, listings.as_ref())?)))
}

struct Leaf {
    settings: PfsInput,
    listing: Box<dyn Listing>,
    finder: InputFinder,
    finished: bool,
}

/// An error without the name of its leaf.
enum LeafError {
    List(StoreError),
    Read { path: String, source: StoreError },
    Glob(GlobTooComplex),
}

impl Leaf {
    fn open(settings: PfsInput, listings: &dyn Listings) -> Result<Self, ExpandError> {
        let selection = Selection::of(&settings);
        let listing = listings
            .list(&settings, &selection)
            .map_err(|error| LeafError::List(error).of(&settings))?;
        let finder =
            InputFinder::new(selection).map_err(|error| LeafError::Glob(error).of(&settings))?;
        Ok(Self {
            settings,
            listing,
            finder,
            finished: false,
        })
    }

    fn advance(&mut self) -> Result<Option<Inputs>, LeafError> {
        loop {
            if let Some(found) = self.finder.next() {
                return Ok(Some(vec![self.input(found)?]));
            }
            if self.finished {
                return Ok(None);
            }
            self.read_on()?;
        }
    }

    /// Passes the next file of the listing to the finder.
    fn read_on(&mut self) -> Result<(), LeafError> {
        let Some(entry) = self.listing.next().transpose().map_err(LeafError::List)? else {
            self.finished = true;
            self.finder.finish();
            return Ok(());
        };
        let listing = &mut self.listing;
        self.finder.pass(&entry, |entry| {
            listing.tag(entry).map_err(|source| LeafError::Read {
                path: entry.path.clone(),
                source,
            })
        })
    }

    fn input(&self, found: MatchedInput) -> Result<DatumInput, GlobTooComplex> {
        let settings = &self.settings;
        let captures = if settings.join_on.is_some() || settings.group_by.is_some() {
            settings.glob.captures(&found.path)?.unwrap_or_default()
        } else {
            Captures::default()
        };
        Ok(DatumInput {
            name: settings.name.clone(),
            repo: settings.repo.clone(),
            join_on: settings
                .join_on
                .as_ref()
                .map(|template| template.expand(&captures)),
            group_by: settings
                .group_by
                .as_ref()
                .map(|template| template.expand(&captures)),
            path: found.path,
            kind: found.kind,
            size: found.size,
            tag: found.tag,
            leaf: settings.leaf,
            version: found.version,
        })
    }
}

impl Iterator for Leaf {
    type Item = Result<Inputs, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance()
            .map_err(|problem| problem.of(&self.settings))
            .transpose()
    }
}

impl From<GlobTooComplex> for LeafError {
    fn from(problem: GlobTooComplex) -> Self {
        Self::Glob(problem)
    }
}

impl LeafError {
    fn of(self, leaf: &PfsInput) -> ExpandError {
        let input = leaf.name.clone();
        match self {
            Self::List(source) => ExpandError::List { input, source },
            Self::Read { path, source } => ExpandError::Read {
                input,
                path,
                source,
            },
            Self::Glob(source) => ExpandError::Glob { input, source },
        }
    }
}
