//! The order of several pipelines in one run: the writer of a folder comes before its readers.

use drover_shared::id::PipelineName;
use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{self, Pipeline};
use drover_shared::store::StoreError;

/// Why pipelines cannot be run in sequence.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OrderError {
    /// Two specs have one name.
    #[error("pipeline {0} is given twice; each needs a name, and an output folder, of its own")]
    Twice(PipelineName),
    /// The pipelines form a cycle.
    #[error("these pipelines read each other's output in a circle: {0}; break it at one of them")]
    Circle(String),
}

/// Positions of the given pipelines in the order of execution: the given order, except that a reader of an output
/// comes after its writer.
pub fn order(pipelines: &[&Pipeline]) -> Result<Vec<usize>, OrderError> {
    for (at, pipeline) in pipelines.iter().enumerate() {
        if pipelines[..at]
            .iter()
            .any(|earlier| earlier.name == pipeline.name)
        {
            return Err(OrderError::Twice(pipeline.name.clone()));
        }
    }
    let mut order: Vec<usize> = Vec::with_capacity(pipelines.len());
    while order.len() < pipelines.len() {
        let waiting = || (0..pipelines.len()).filter(|at| !order.contains(at));
        let is_ready = |at: &usize| {
            let mut others = waiting().filter(|other| other != at);
            !others.any(|other| reads(pipelines[*at], &pipelines[other].name))
        };
        let Some(next) = waiting().find(is_ready) else {
            let names: Vec<_> = waiting().map(|at| pipelines[at].name.to_string()).collect();
            return Err(OrderError::Circle(names.join(", ")));
        };
        order.push(next);
    }
    Ok(order)
}

/// The given pipelines plus the registered pipelines without a given namesake.
pub(super) async fn with_registered(
    ledger: &Ledger,
    coming: &[&Pipeline],
) -> Result<Vec<Pipeline>, StoreError> {
    let mut all: Vec<Pipeline> = coming.iter().copied().cloned().collect();
    for (name, registered) in ledger.registered_pipelines().await? {
        if coming.iter().all(|pipeline| pipeline.name != name) {
            all.extend(pipeline::from_value(&registered.spec).ok());
        }
    }
    Ok(all)
}

/// True if a pipeline reads the output folder of `name` in the store.
pub fn reads(pipeline: &Pipeline, name: &PipelineName) -> bool {
    pipeline
        .input
        .leaves()
        .iter()
        .any(|leaf| leaf.url.is_none() && leaf.repo == name.as_str())
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline::parse;

    use super::*;

    /// Orders pipelines written as `name<repo,repo`.
    fn ordered(written: &str) -> Result<String, OrderError> {
        let pipelines: Vec<Pipeline> = written.split(' ').map(pipeline).collect();
        let order = order(&pipelines.iter().collect::<Vec<_>>())?;
        let names: Vec<_> = order
            .into_iter()
            .map(|at| pipelines[at].name.to_string())
            .collect();
        Ok(names.join(" "))
    }

    fn pipeline(written: &str) -> Pipeline {
        let (name, repos) = written.split_once('<').unwrap();
        let leaves: Vec<String> = repos
            .split(',')
            .map(|repo| format!("{{pfs: {{repo: {repo}, glob: /}}}}"))
            .collect();
        let text = format!(
            "{{pipeline: {{name: {name}}}, transform: {{cmd: [x]}}, input: {{cross: [{}]}}}}",
            leaves.join(", ")
        );
        parse("test.yaml", &text).unwrap().remove(0).pipeline
    }

    #[test]
    fn what_reads_comes_after_what_writes_and_else_as_given() {
        let rows = [
            ("a<in b<in", "a b"),
            ("reduce<map map<in", "map reduce"),
            ("c<a,b b<a a<in", "a b c"),
            ("x<in z<y y<in w<in", "x y z w"),
        ];
        for (written, expected) in rows {
            assert_eq!(ordered(written).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn a_circle_and_a_double_name_are_refused() {
        let circle = ordered("a<c,in b<a c<b d<in").unwrap_err();
        assert_eq!(circle, OrderError::Circle("a, b, c".to_owned()));
        assert!(matches!(ordered("a<in a<other"), Err(OrderError::Twice(_))));
    }
}
