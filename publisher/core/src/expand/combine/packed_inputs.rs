//! Lists of inputs in a compact encoding, for operators that hold whole children in memory.

use std::collections::HashMap;

use drover_shared::datum::{ContentTag, DatumInput, InputKind};
use serde::{Deserialize, Serialize};

use crate::expand::stream::Inputs;

/// Numbered lists of inputs, one per datum of a child. An input takes about 60 bytes plus its path.
#[derive(Debug, Default)]
pub(crate) struct PackedInputs {
    packed: Vec<u8>,
    /// End offset of each list.
    ends: Vec<usize>,
    /// Name and repo of each leaf.
    leaves: HashMap<u16, (String, String)>,
}

/// An input without the fields of its leaf.
#[derive(Deserialize, Serialize)]
struct PackedInput<'s> {
    leaf: u16,
    path: &'s str,
    is_dir: bool,
    size: u64,
    join_on: Option<&'s str>,
    group_by: Option<&'s str>,
    tag: &'s str,
    version: Option<&'s str>,
}

impl PackedInputs {
    /// Number of lists.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Appends a list.
    pub(crate) fn push(&mut self, inputs: &[DatumInput]) {
        for input in inputs {
            self.leaves
                .entry(input.leaf)
                .or_insert_with(|| (input.name.clone(), input.repo.clone()));
            let packed = PackedInput {
                leaf: input.leaf,
                path: &input.path,
                is_dir: input.kind == InputKind::Dir,
                size: input.size,
                join_on: input.join_on.as_deref(),
                group_by: input.group_by.as_deref(),
                tag: input.tag.as_str(),
                version: input.version.as_deref(),
            };
            let bytes = std::mem::take(&mut self.packed);
            self.packed = postcard::to_extend(&packed, bytes).expect("plain fields always pack");
        }
        self.ends.push(self.packed.len());
    }

    /// Appends list `number`, which must exist, to `inputs`.
    pub(crate) fn read(&self, number: usize, inputs: &mut Inputs) {
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before]);
        let mut rest = &self.packed[begin..self.ends[number]];
        while !rest.is_empty() {
            let (packed, after) =
                postcard::take_from_bytes(rest).expect("what was packed here unpacks");
            inputs.push(self.unpack(&packed));
            rest = after;
        }
    }

    fn unpack(&self, packed: &PackedInput<'_>) -> DatumInput {
        let (name, repo) = &self.leaves[&packed.leaf];
        DatumInput {
            name: name.clone(),
            repo: repo.clone(),
            path: packed.path.to_owned(),
            kind: if packed.is_dir {
                InputKind::Dir
            } else {
                InputKind::File
            },
            size: packed.size,
            join_on: packed.join_on.map(str::to_owned),
            group_by: packed.group_by.map(str::to_owned),
            tag: ContentTag::new(packed.tag),
            leaf: packed.leaf,
            version: packed.version.map(str::to_owned),
        }
    }
}
