//! Group: one datum per key, with all inputs of the key.

use super::keyed::KeyedInputs;
use crate::expand::ExpandError;
use crate::expand::stream::{InputStream, Inputs, deferred};

/// One datum per `group_by` value. Operators below a group only select inputs: each input counts by itself, as often
/// as it appears.
pub(crate) fn group(children: Vec<InputStream>) -> InputStream {
    deferred(move || {
        // Sorted by leaf, which is the order of the spec, also below a join.
        let keyed = KeyedInputs::read(children, |_, input| {
            (input.group_by.as_deref(), usize::from(input.leaf))
        })?;
        Ok(Box::new(Groups { keyed, begin: 0 }))
    })
}

struct Groups {
    keyed: KeyedInputs,
    /// First place of the next key.
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
