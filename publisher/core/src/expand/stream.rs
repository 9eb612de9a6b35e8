//! Streams of datums before they are numbered: what each node of the input tree yields.

use std::iter;

use drover_shared::datum::DatumInput;

use super::ExpandError;

/// The inputs of one datum, in the order of the spec.
pub(super) type Inputs = Vec<DatumInput>;

/// What a node of the tree yields. Nothing useful follows an error.
pub(super) type Stream = Box<dyn Iterator<Item = Result<Inputs, ExpandError>> + Send>;

/// A stream that is only built when its first datum is asked for.
pub(super) fn deferred(
    build: impl FnOnce() -> Result<Stream, ExpandError> + Send + 'static,
) -> Stream {
    Box::new(
        iter::once_with(build)
            .flat_map(|built| built.unwrap_or_else(|error| Box::new(iter::once(Err(error))))),
    )
}
