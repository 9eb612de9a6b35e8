//! A worker of a pipeline unknown to the store: the name is mistyped, or the first job is still to come.

use anyhow::Context as _;
use drover_shared::id::PipelineName;
use drover_shared::ledger::{IdleReason, Ledger};
use drover_shared::names::{first_names, similar};

use super::connect::NO_STORE;

/// How many of the store's pipelines are named.
const MOST_NAMED: usize = 5;

/// Names the pipelines unknown to the store, and notes that the queues of these pipelines may be idle: the worker is about
/// to declare the queues.
pub(super) async fn note_unknown(
    ledger: &Ledger,
    pipelines: &[PipelineName],
) -> anyhow::Result<()> {
    let known = ledger.pipelines().await.context(NO_STORE)?;
    for pipeline in pipelines
        .iter()
        .filter(|pipeline| !known.contains(pipeline))
    {
        let location = ledger.store().location();
        let hint = hint(pipeline, &known);
        tracing::warn!(
            pipeline.name = %pipeline,
            "the store {location} knows no pipeline {pipeline}{hint}; waiting for its first job"
        );
        let noted = ledger.note_idle_queues(pipeline, IdleReason::Unknown).await;
        noted.context(NO_STORE)?;
    }
    Ok(())
}

/// The pipeline meant, or the known pipelines.
fn hint(typed: &PipelineName, known: &[PipelineName]) -> String {
    let names: Vec<String> = known.iter().map(PipelineName::to_string).collect();
    match similar(typed.as_str(), names.iter().map(String::as_str)) {
        Some(name) => format!("; did you mean {name}?"),
        None if names.is_empty() => String::new(),
        None => format!(", but {}", first_names(&names, MOST_NAMED)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_answered_with_the_names_that_there_are() {
        let known = ["thumbs", "totals"].map(|name| name.parse().unwrap());
        for (typed, known, expected) in [
            ("thumb", &known[..], "; did you mean thumbs?"),
            ("made", &known[..], ", but thumbs, totals"),
            ("made", &[], ""),
        ] {
            assert_eq!(hint(&typed.parse().unwrap(), known), expected);
        }
    }
}
