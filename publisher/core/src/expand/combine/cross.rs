//! Cross: every combination of the children's datums.

use super::odometer::Odometer;
use super::shelf::Shelf;
use crate::expand::ExpandError;
use crate::expand::stream::{Inputs, Stream, deferred};

/// Streams over the first child and keeps the others' lists.
pub(crate) fn cross(children: Vec<Stream>) -> Stream {
    deferred(move || {
        let mut children = children.into_iter();
        let Some(first) = children.next() else {
            return Ok(Box::new(std::iter::empty()));
        };
        let rest: Result<Vec<Shelf>, ExpandError> = children.map(shelve).collect();
        Ok(Box::new(Cross {
            first,
            rest: rest?,
            current: None,
        }))
    })
}

fn shelve(child: Stream) -> Result<Shelf, ExpandError> {
    let mut shelf = Shelf::default();
    for inputs in child {
        shelf.push(&inputs?);
    }
    Ok(shelf)
}

struct Cross {
    first: Stream,
    rest: Vec<Shelf>,
    /// The datum of the first child that is being combined, and the combinations to come.
    current: Option<(Inputs, Odometer)>,
}

impl Cross {
    fn next_combination(&mut self) -> Option<Inputs> {
        let (first, combinations) = self.current.as_mut()?;
        let numbers = combinations.current()?;
        let mut inputs = first.clone();
        for (shelf, number) in self.rest.iter().zip(numbers) {
            shelf.read(*number, &mut inputs);
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
            let limits = self.rest.iter().map(Shelf::len).collect();
            self.current = Some((first, Odometer::new(limits)));
        }
    }
}
