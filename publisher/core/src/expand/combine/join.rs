//! Join: combinations of inputs with equal keys.

use super::keyed::{KeyedInputs, KeyedPlace};
use super::odometer::Odometer;
use crate::expand::ExpandError;
use crate::expand::stream::{InputStream, Inputs, deferred};

/// All combinations of one input per child with equal `join_on` values. If some child lacks a key, only `outer`
/// children with the key are combined.
///
/// Operators below a join only select inputs: each input counts by itself.
pub(crate) fn join(children: Vec<InputStream>, outer: Vec<bool>) -> InputStream {
    deferred(move || {
        let keyed = KeyedInputs::read(children, |child, input| (input.join_on.as_deref(), child))?;
        Ok(Box::new(Join {
            keyed,
            outer,
            begin: 0,
            sides: Vec::new(),
            combinations: None,
        }))
    })
}

struct Join {
    keyed: KeyedInputs,
    /// For each child, true if its inputs are kept without partners.
    outer: Vec<bool>,
    /// First place of the next key.
    begin: usize,
    /// Input numbers of the current key, by side.
    sides: Vec<Vec<usize>>,
    /// Remaining combinations of `sides`.
    combinations: Option<Odometer>,
}

impl Join {
    fn next_combination(&mut self) -> Option<Inputs> {
        let combinations = self.combinations.as_mut()?;
        let numbers = combinations.current()?;
        let mut inputs = Inputs::with_capacity(numbers.len());
        for (side, number) in self.sides.iter().zip(numbers) {
            self.keyed.inputs.read(side[*number], &mut inputs);
        }
        combinations.advance();
        Some(inputs)
    }

    /// Advances to the next key; returns false at the end.
    fn next_key(&mut self) -> bool {
        let places = self.keyed.of_one_key(self.begin);
        self.begin += places.len();
        self.sides = kept_sides(places, &self.outer);
        self.combinations = (!self.sides.is_empty())
            .then(|| Odometer::new(self.sides.iter().map(Vec::len).collect()));
        !places.is_empty()
    }
}

impl Iterator for Join {
    type Item = Result<Inputs, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(inputs) = self.next_combination() {
                return Some(Ok(inputs));
            }
            if !self.next_key() {
                return None;
            }
        }
    }
}

/// The inputs of a key by side: all sides if each child has the key, else the sides of outer children.
fn kept_sides(places: &[KeyedPlace], outer: &[bool]) -> Vec<Vec<usize>> {
    let sides: Vec<&[KeyedPlace]> = places
        .chunk_by(|one, other| one.side == other.side)
        .collect();
    let complete = sides.len() == outer.len();
    sides
        .into_iter()
        .filter(|side| complete || outer[side[0].side])
        .map(|side| side.iter().map(|place| place.input).collect())
        .collect()
}
