//! Streams of unnumbered datums, as yielded by the nodes of the input tree.

use std::iter;

use drover_shared::datum::DatumInput;

use super::ExpandError;

/// The inputs of one datum, in the order of the spec.
pub(super) type Inputs = Vec<DatumInput>;

/// The datums of a node of the input tree. Nothing useful follows an error.
pub(super) type InputStream = Box<dyn Iterator<Item = Result<Inputs, ExpandError>> + Send>;

/// A stream built on the first call of `next`.
pub(super) fn deferred(
    build: impl FnOnce() -> Result<InputStream, ExpandError> + Send + 'static,
) -> InputStream {
    Box::new(
        iter::once_with(build)
            .flat_map(|built| built.unwrap_or_else(|error| Box::new(iter::once(Err(error))))),
    )
}
