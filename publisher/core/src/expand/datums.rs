//! The stream of datums: numbered, and named by their work.

use std::iter;
use std::sync::Arc;

use drover_shared::datum::{Datum, WorkIdentity};
use drover_shared::pipeline::Pipeline;

use super::stream::Stream;
use super::tree::stream;
use super::{ExpandError, Listings};

/// Expands a pipeline's input over the files that `listings` finds. Nothing is listed before the first
/// datum is asked for.
#[expect(
    clippy::needless_pass_by_value,
    reason = "callers have an `Arc::new` to give, which only coerces to a trait object by value"
)]
pub fn expand(pipeline: &Pipeline, listings: Arc<dyn Listings>) -> Result<Datums, ExpandError> {
    Ok(Datums {
        combined: stream(&pipeline.input, &listings)?,
        identity: WorkIdentity::new(pipeline),
        next: 0,
    })
}

/// All datums of a job, in order. Nothing follows an error. Blocking.
pub struct Datums {
    combined: Stream,
    identity: WorkIdentity,
    next: u64,
}

impl Iterator for Datums {
    type Item = Result<Datum, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        let inputs = match self.combined.next()? {
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
