//! The content tag of an input in a folder, from its bytes.

use std::fs::File;

use drover_shared::datum::{ContentTag, DatumInput, InputKind, TreeHash, content_hash};
use drover_shared::store::StoreKey;

use super::folder_file::resolve;
use super::input::{key, unreadable};
use super::selection;
use crate::flow_error::{FlowError, InfrastructureError};
use crate::jobs::InputLeaf;

/// Reads the input; its tag as the listing of a job computes it. Blocking.
pub(super) fn tag(input: &DatumInput, leaf: &InputLeaf) -> Result<ContentTag, FlowError> {
    let root = key(input, leaf)?;
    let tag_of = |key: &StoreKey| {
        let (path, metadata) = resolve(leaf, key)?;
        let hashed = File::open(&path).and_then(content_hash);
        let hash = hashed.map_err(InfrastructureError::scratch(path))?;
        Ok::<_, FlowError>((ContentTag::new(hash), metadata.len()))
    };
    if input.kind == InputKind::File {
        return tag_of(&root).map(|(tag, _)| tag);
    }
    let mut tree = TreeHash::default();
    for entry in selection::files(input, leaf)? {
        let file = root.join(entry.path.trim_start_matches('/'));
        let file = file.map_err(unreadable)?;
        let (tag, size) = tag_of(&file)?;
        tree.add(&entry.path, size, &tag, &entry.version);
    }
    Ok(tree.tag())
}
