//! Cross: every combination of the children's datums.

use super::odometer::Odometer;
use super::packed_inputs::PackedInputs;
use crate::expand::ExpandError;
use crate::expand::stream::{InputStream, Inputs, deferred};

/// Streams over the first child; holds the inputs of the remaining children in memory.
pub(crate) fn cross(children: Vec<InputStream>) -> InputStream {
    deferred(move || {
        let mut children = children.into_iter();
        let Some(first) = children.next() else {
            return Ok(Box::new(std::iter::empty()));
        };
        let rest: Result<Vec<PackedInputs>, ExpandError> = children.map(pack_all).collect();
        Ok(Box::new(Cross {
            first,
            rest: rest?,
            current: None,
        }))
    })
}

fn pack_all(child: InputStream) -> Result<PackedInputs, ExpandError> {
    let mut packed_inputs = PackedInputs::default();
    for inputs in child {
        packed_inputs.push(&inputs?);
    }
    Ok(packed_inputs)
}

struct Cross {
    first: InputStream,
    rest: Vec<PackedInputs>,
    /// The current datum of the first child, and its remaining combinations.
    current: Option<(Inputs, Odometer)>,
}

impl Cross {
    fn next_combination(&mut self) -> Option<Inputs> {
        let (first, combinations) = self.current.as_mut()?;
        let numbers = combinations.current()?;
        let mut inputs = first.clone();
        for (packed_inputs, number) in self.rest.iter().zip(numbers) {
            packed_inputs.read(*number, &mut inputs);
        }
        combinations.advance();
        Some(inputs)
    }
}

impl Iterator for Cross {
    type Item = Result<Inputs, ExpandError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(inputs) = self.next_combination() {
                return Some(Ok(inputs));
            }
            let first = match self.first.next()? {
                Ok(first) => first,
                Err(error) => return Some(Err(error)),
            };
            let limits = self.rest.iter().map(PackedInputs::len).collect();
            self.current = Some((first, Odometer::new(limits)));
        }
    }
}
