//! Fixtures for the unit tests of the flow.

use drover_shared::datum::{ContentTag, Datum, DatumInput, InputKind};

/// A datum of these inputs, by name and path.
pub(super) fn datum_of(index: u64, inputs: &[(&str, &str)]) -> Datum {
    let inputs = inputs.iter().map(|(name, path)| DatumInput {
        name: (*name).to_owned(),
        repo: (*name).to_owned(),
        path: (*path).to_owned(),
        kind: InputKind::File,
        size: 0,
        join_on: None,
        group_by: None,
        tag: ContentTag::new("blake3:00"),
        leaf: 0,
        version: None,
    });
    let id = "00112233445566778899aabbccddeeff".parse().unwrap();
    Datum {
        index,
        id,
        inputs: inputs.collect(),
    }
}
