//! The newest known term of each pipeline.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use drover_shared::id::PipelineName;

/// Pipelines remembered; beyond this number all are forgotten, and learnt again from the next tasks.
const REMEMBERED: usize = 4096;

/// The newest terms. A task of an older term comes from a leader with a successor, which may have published the datums
/// again.
#[derive(Debug, Default)]
pub(crate) struct Terms(Mutex<HashMap<PipelineName, u64>>);

impl Terms {
    /// Notes a term; true if a later one is known.
    pub(crate) fn is_over(&self, pipeline: &PipelineName, term: u64) -> bool {
        let mut terms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match terms.get_mut(pipeline) {
            Some(newest) if *newest > term => true,
            Some(newest) => {
                *newest = term;
                false
            }
            None => {
                if terms.len() >= REMEMBERED {
                    terms.clear();
                }
                terms.insert(pipeline.clone(), term);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_over_once_a_later_one_of_the_same_pipeline_is_known() {
        let terms = Terms::default();
        let [one, other] = ["a", "b"].map(|name| name.parse().unwrap());
        let told = [
            (&one, 2),
            (&one, 2),
            (&other, 1),
            (&one, 3),
            (&one, 2),
            (&one, 3),
        ];
        let over = told.map(|(pipeline, term)| terms.is_over(pipeline, term));
        assert_eq!(over, [false, false, false, false, true, false]);
    }

    #[test]
    fn memory_does_not_grow_with_the_pipelines_that_come_and_go() {
        let terms = Terms::default();
        for number in 0..3 * REMEMBERED {
            let pipeline = format!("pipeline-{number}").parse().unwrap();
            assert!(!terms.is_over(&pipeline, 1));
            assert!(terms.0.lock().unwrap().len() <= REMEMBERED);
        }
    }
}
