//! The stream of datums with indexes and ids.

use std::iter;
use std::sync::Arc;

use drover_shared::datum::{Datum, WorkIdentity};
use drover_shared::pipeline::Pipeline;

use super::stream::InputStream;
use super::tree::stream;
use super::{ExpandError, Listings};

/// Expands a pipeline's input over the files of `listings`. Listing starts with the first call of `next`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers have an `Arc::new` to give, which only coerces to a trait object by value"
)]
pub fn expand(
    pipeline: &Pipeline,
    listings: Arc<dyn Listings>,
) -> Result<DatumStream, ExpandError> {
    Ok(DatumStream {
        combined: stream(&pipeline.input, &listings, pipeline.max_datums)?,
        identity: WorkIdentity::new(pipeline, listings.code()),
        next: 0,
        most: pipeline.max_datums,
    })
}

/// All datums of a job, in order. Ends after an error. Blocking.
pub struct DatumStream {
    combined: InputStream,
    identity: WorkIdentity,
    next: u64,
    most: u64,
}

impl Iterator for DatumStream {
    type Item = Result<Datum, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        let most = self.most;
        let inputs = match self.combined.next()? {
            Ok(_) if self.next == most => {
                self.combined = Box::new(iter::empty());
                return Some(Err(ExpandError::TooMany { most }));
            }
            Ok(inputs) => inputs,
            Err(error) => {
                self.combined = Box::new(iter::empty());
                return Some(Err(error));
            }
        };
        let datum = Datum {
            index: self.next,
            id: self.identity.of(&inputs),
            inputs,
        };
        self.next += 1;
        Some(Ok(datum))
    }
}
