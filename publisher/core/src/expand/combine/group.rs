//! Group: one datum for each key, with all inputs that have it.

use super::keyed::Keyed;
use crate::expand::ExpandError;
use crate::expand::stream::{Inputs, Stream, deferred};

/// One datum for each `group_by` value. Children that are operators only choose: each of their inputs
/// counts by itself, as often as it comes.
pub(crate) fn group(children: Vec<Stream>) -> Stream {
    deferred(move || {
        // By leaf, so that a datum lists its inputs in the order of the spec, below a join too.
        let keyed = Keyed::read(children, |_, input| {
            (input.group_by.as_deref(), usize::from(input.leaf))
        })?;
        Ok(Box::new(Groups { keyed, begin: 0 }))
    })
}

struct Groups {
    keyed: Keyed,
    /// The first place of the key to come.
    begin: usize,
}

impl Iterator for Groups {
    type Item = Result<Inputs, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        let places = self.keyed.of_one_key(self.begin);
        let mut inputs = Inputs::with_capacity(places.len());
        for place in places {
            self.keyed.inputs.read(place.input, &mut inputs);
        }
        self.begin += places.len();
        (!inputs.is_empty()).then_some(Ok(inputs))
    }
}
