//! Turns the input tree into a tree of streams.

use std::sync::Arc;

use drover_shared::pipeline::Input;

use super::combine::cross::cross;
use super::combine::group::group;
use super::combine::join::join;
use super::leaf::leaf;
use super::stream::InputStream;
use super::{ExpandError, Listings};

/// The stream of a node and all nodes below. A cross with more than `most` combinations is refused.
pub(super) fn stream(
    node: &Input,
    listings: &Arc<dyn Listings>,
    most: u64,
) -> Result<InputStream, ExpandError> {
    let streams = |children: &[Input]| -> Result<Vec<InputStream>, ExpandError> {
        children
            .iter()
            .map(|child| stream(child, listings, most))
            .collect()
    };
    Ok(match node {
        Input::Pfs(settings) => leaf(settings, listings),
        Input::Cron(clock) => leaf(&clock.ticks, listings),
        Input::Cross(children) => cross(streams(children)?, most),
        Input::Union(children) => Box::new(streams(children)?.into_iter().flatten()),
        Input::Join(children) => join(streams(children)?, children.iter().map(is_outer).collect()),
        Input::Group(children) => group(streams(children)?),
    })
}

/// True if the input of a join's child is kept without partners. Only leaves have the setting.
fn is_outer(child: &Input) -> bool {
    matches!(child, Input::Pfs(leaf) if leaf.outer_join)
}
