//! The inputs of several children by key: what join and group have in common.

use std::collections::HashMap;

use drover_shared::datum::DatumInput;

use super::shelf::Shelf;
use crate::expand::ExpandError;
use crate::expand::stream::Stream;

/// All inputs of several children, to be had key after key, in order of first sight of the key.
#[derive(Default)]
pub(crate) struct Keyed {
    pub(crate) inputs: Shelf,
    places: Vec<Place>,
}

/// Where an input belongs. The order of the fields is the order of the inputs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    /// The key's number, by first sight.
    key: usize,
    /// What the inputs of a key are ordered by, before the order in which they came.
    pub(crate) side: usize,
    /// Its number on the shelf.
    pub(crate) input: usize,
}

impl Keyed {
    /// Reads all children; `address` gives the key and the side of an input, from its child's number and itself.
    pub(crate) fn read(
        children: Vec<Stream>,
        address: fn(usize, &DatumInput) -> (Option<&str>, usize),
    ) -> Result<Self, ExpandError> {
        let mut keyed = Self::default();
        let mut keys: HashMap<String, usize> = HashMap::new();
        for (child, datums) in children.into_iter().enumerate() {
            for inputs in datums {
                for input in inputs? {
                    let (key, side) = address(child, &input);
                    let key = number_of(key.unwrap_or_default(), &mut keys);
                    keyed.places.push(Place {
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

    /// All places that share a key with place number `begin`, which is the first one of its key.
    /// Empty after the last place.
    pub(crate) fn of_one_key(&self, begin: usize) -> &[Place] {
        self.places[begin..]
            .chunk_by(|one, other| one.key == other.key)
            .next()
            .unwrap_or_default()
    }
}

/// The number of a key: how many others were seen before it.
fn number_of(key: &str, keys: &mut HashMap<String, usize>) -> usize {
    if let Some(number) = keys.get(key) {
        return *number;
    }
    let number = keys.len();
    keys.insert(key.to_owned(), number);
    number
}
