//! Cross: every combination of the children's datums.

use super::odometer::Odometer;
use super::packed_inputs::PackedInputs;
use crate::expand::ExpandError;
use crate::expand::stream::{InputStream, Inputs, deferred};

/// Combinations from which on the product is checked before the first datum.
const MANY: u64 = 1000;

/// Streams over the first child; holds the inputs of the remaining children in memory. A product above `most` is refused,
/// if possible before the first datum.
pub(crate) fn cross(children: Vec<InputStream>, most: u64) -> InputStream {
    deferred(move || {
        let mut children = children.into_iter();
        let Some(first) = children.next() else {
            return Ok(Box::new(std::iter::empty()));
        };
        let rest: Result<Vec<PackedInputs>, ExpandError> =
            children.map(|child| pack_all(child, most)).collect();
        let rest = rest?;
        let combinations = rest.iter().fold(1, |product: u64, child| {
            product.saturating_mul(child.len() as u64)
        });
        Ok(Box::new(Cross {
            first: refuse_excess(first, combinations, most)?,
            rest,
            current: None,
        }))
    })
}

/// Refuses a first child that is too long for the number of combinations of the other children. Looks at `most /
/// combinations + 1` inputs; for few combinations, the datums are counted as they come.
fn refuse_excess(
    mut first: InputStream,
    combinations: u64,
    most: u64,
) -> Result<InputStream, ExpandError> {
    if combinations < MANY {
        return Ok(first);
    }
    let allowed = usize::try_from(most / combinations).unwrap_or(usize::MAX);
    let ahead: Vec<_> = first.by_ref().take(allowed.saturating_add(1)).collect();
    if ahead.len() > allowed && ahead.iter().all(Result::is_ok) {
        return Err(ExpandError::TooMany { most });
    }
    Ok(Box::new(ahead.into_iter().chain(first)))
}

fn pack_all(child: InputStream, most: u64) -> Result<PackedInputs, ExpandError> {
    let mut packed_inputs = PackedInputs::default();
    for inputs in child {
        if packed_inputs.len() as u64 == most {
            return Err(ExpandError::TooMany { most });
        }
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
