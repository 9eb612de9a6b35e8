//! The order of several pipelines in one run: what writes a folder comes before what reads it.

use drover_shared::id::PipelineName;
use drover_shared::pipeline::Pipeline;

/// Why pipelines cannot be run one after the other.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// Two specs have one name.
    #[error("pipeline {0} is given twice; each needs a name, and an output folder, of its own")]
    Twice(PipelineName),
    /// They wait for each other.
    #[error("these pipelines read each other's output in a circle: {0}; break it at one of them")]
    Circle(String),
}

/// The places of the pipelines, in the order to run them: as given, except that one which reads the output
/// of another comes after it.
pub fn order(pipelines: &[&Pipeline]) -> Result<Vec<usize>, ChainError> {
    for (at, pipeline) in pipelines.iter().enumerate() {
        if pipelines[..at]
            .iter()
            .any(|earlier| earlier.name == pipeline.name)
        {
            return Err(ChainError::Twice(pipeline.name.clone()));
        }
    }
    let mut order = Vec::with_capacity(pipelines.len());
    while order.len() < pipelines.len() {
        let is_ready = |at: usize| {
            let is_done = |other: usize| order.contains(&other) || other == at;
            (0..pipelines.len())
                .all(|other| is_done(other) || !reads(pipelines[at], &pipelines[other].name))
        };
        match (0..pipelines.len()).find(|at| !order.contains(at) && is_ready(*at)) {
            Some(next) => order.push(next),
            None => {
                let waiting = (0..pipelines.len()).filter(|at| !order.contains(at));
                let names: Vec<_> = waiting.map(|at| pipelines[at].name.to_string()).collect();
                return Err(ChainError::Circle(names.join(", ")));
            }
        }
    }
    Ok(order)
}

/// Whether a pipeline reads the output folder of `name` in this store.
pub fn reads(pipeline: &Pipeline, name: &PipelineName) -> bool {
    pipeline
        .input
        .leaves()
        .iter()
        .any(|leaf| leaf.url.is_none() && leaf.repo == name.as_str())
}
