//! The inputs of several children by key, for join and group.

use std::collections::HashMap;

use drover_shared::datum::DatumInput;

use super::packed_inputs::PackedInputs;
use crate::expand::ExpandError;
use crate::expand::stream::InputStream;

/// All inputs of several children, grouped by key in order of first appearance.
#[derive(Default)]
pub(crate) struct KeyedInputs {
    pub(crate) inputs: PackedInputs,
    places: Vec<KeyedPlace>,
}

/// Sort key of an input; the order of the fields is the sort order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct KeyedPlace {
    /// Number of the key, by first appearance.
    key: usize,
    /// Groups the inputs of one key, before the order of appearance.
    pub(crate) side: usize,
    /// Number of the input in [`KeyedInputs::inputs`].
    pub(crate) input: usize,
}

impl KeyedInputs {
    /// Reads all children; `address` maps child number and input to key and side.
    pub(crate) fn read(
        children: Vec<InputStream>,
        address: fn(usize, &DatumInput) -> (Option<&str>, usize),
    ) -> Result<Self, ExpandError> {
        let mut keyed = Self::default();
        let mut keys: HashMap<String, usize> = HashMap::new();
        for (child, datums) in children.into_iter().enumerate() {
            for inputs in datums {
                for input in inputs? {
                    let (key, side) = address(child, &input);
                    let key = number_of(key.unwrap_or_default(), &mut keys);
                    keyed.places.push(KeyedPlace {
                        key,
                        side,
                        input: keyed.inputs.len(),
                    });
                    keyed.inputs.push(std::slice::from_ref(&input));
                }
            }
        }
        keyed.places.sort_unstable();
        Ok(keyed)
    }

    /// All places with the key of place number `begin`, the first place of its key. Empty after the last place.
    pub(crate) fn of_one_key(&self, begin: usize) -> &[KeyedPlace] {
        self.places[begin..]
            .chunk_by(|one, other| one.key == other.key)
            .next()
            .unwrap_or_default()
    }
}

/// The number of a key in order of first appearance.
fn number_of(key: &str, keys: &mut HashMap<String, usize>) -> usize {
    if let Some(number) = keys.get(key) {
        return *number;
    }
    let number = keys.len();
    keys.insert(key.to_owned(), number);
    number
}
