//! Join: combinations of inputs that share a key.

use super::keyed::{Keyed, Place};
use super::odometer::Odometer;
use crate::expand::ExpandError;
use crate::expand::stream::{Inputs, Stream, deferred};

/// All combinations of one input from each child with one `join_on` value. A key that some child lacks
/// gives the combinations of those `outer` children that have it, if any.
///
/// Children that are operators only choose: each of their inputs counts by itself.
pub(crate) fn join(children: Vec<Stream>, outer: Vec<bool>) -> Stream {
    deferred(move || {
        let keyed = Keyed::read(children, |child, input| (input.join_on.as_deref(), child))?;
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
    keyed: Keyed,
    /// For each child, whether it stays without partners.
    outer: Vec<bool>,
    /// The first place of the key to come.
    begin: usize,
    /// Input numbers of the current key, side by side.
    sides: Vec<Vec<usize>>,
    /// The combinations of `sides` to come.
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

    /// Takes up the next key; whether there was one.
    fn next_key(&mut self) -> bool {
        let places = self.keyed.of_one_key(self.begin);
        self.begin += places.len();
        self.sides = sides_that_stay(places, &self.outer);
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

/// The inputs of a key by side: all sides if each child has the key, else those of the outer children.
fn sides_that_stay(places: &[Place], outer: &[bool]) -> Vec<Vec<usize>> {
    let sides: Vec<&[Place]> = places
        .chunk_by(|one, other| one.side == other.side)
        .collect();
    let complete = sides.len() == outer.len();
    sides
        .into_iter()
        .filter(|side| complete || outer[side[0].side])
        .map(|side| side.iter().map(|place| place.input).collect())
        .collect()
}
