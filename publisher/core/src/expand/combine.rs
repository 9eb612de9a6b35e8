//! The input tree as a tree of streams.

use std::iter;
use std::sync::Arc;

use drover_shared::datum::DatumInput;
use drover_shared::pipeline::Input;

use super::cross::cross;
use super::group::group;
use super::join::join;
use super::leaf::leaf;
use super::{ExpandError, Listings};

/// The inputs of one datum, in the order of the spec.
pub(super) type Inputs = Vec<DatumInput>;

/// What a node of the tree yields. Nothing useful follows an error.
pub(super) type Stream = Box<dyn Iterator<Item = Result<Inputs, ExpandError>> + Send>;

/// The stream of a node.
pub(super) fn stream(node: &Input, listings: &Arc<dyn Listings>) -> Result<Stream, ExpandError> {
    let streams = |children: &[Input]| -> Result<Vec<Stream>, ExpandError> {
        children
            .iter()
            .map(|child| stream(child, listings))
            .collect()
    };
    Ok(match node {
        Input::Pfs(settings) => leaf(settings, listings),
        Input::Cron(clock) => leaf(&clock.ticks, listings),
        Input::Cross(children) => cross(streams(children)?),
        Input::Union(children) => Box::new(streams(children)?.into_iter().flatten()),
        Input::Join(children) => join(streams(children)?, children.iter().map(is_outer).collect()),
        Input::Group(children) => group(streams(children)?),
    })
}

/// Whether a child of a join stays without partners. Only a leaf can say so.
fn is_outer(child: &Input) -> bool {
    matches!(child, Input::Pfs(leaf) if leaf.outer_join)
}

/// A stream that is only built when its first datum is asked for.
pub(super) fn deferred(
    build: impl FnOnce() -> Result<Stream, ExpandError> + Send + 'static,
) -> Stream {
    Box::new(
        iter::once_with(build)
            .flat_map(|built| built.unwrap_or_else(|error| Box::new(iter::once(Err(error))))),
    )
}
