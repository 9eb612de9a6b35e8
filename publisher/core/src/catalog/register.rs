//! Registration of pipelines, which must not wait for each other in a circle.

use drover_shared::id::PipelineName;
use drover_shared::ledger::{Ledger, PipelineChange, RegistryError};
use drover_shared::pipeline::Pipeline;
use drover_shared::store::StoreError;

use super::pipeline_order::{OrderError, order, with_registered};

/// Why pipelines are not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The pipelines would form a circle.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The registry refuses the change.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A pipeline to create or to update.
pub struct Registration {
    /// The parsed pipeline.
    pub pipeline: Pipeline,
    /// Its creation or update.
    pub change: PipelineChange,
}

/// Registers pipelines: all of them, or none if they would form a circle. Another process may complete a circle at the same
/// moment, so the graph is looked at once more afterwards, and a circle takes the changes back.
pub async fn register(ledger: &Ledger, coming: &[Registration]) -> Result<(), RegisterError> {
    refuse_circles(ledger, coming).await?;
    let mut undo = Vec::new();
    for Registration { pipeline, change } in coming {
        let earlier = ledger.registered(&pipeline.name).await?;
        let back = earlier.map_or(PipelineChange::Delete, |earlier| {
            PipelineChange::Update(earlier.spec)
        });
        ledger.change_pipeline(&pipeline.name, change).await?;
        undo.push((&pipeline.name, back));
    }
    let checked = refuse_circles(ledger, coming).await;
    if let Err(RegisterError::Order(_)) = &checked {
        take_back(ledger, undo).await?;
    }
    checked
}

async fn take_back(
    ledger: &Ledger,
    changes: Vec<(&PipelineName, PipelineChange)>,
) -> Result<(), RegisterError> {
    for (name, change) in changes {
        match ledger.change_pipeline(name, &change).await {
            // Somebody has deleted the pipeline meanwhile.
            Ok(_) | Err(RegistryError::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn refuse_circles(ledger: &Ledger, coming: &[Registration]) -> Result<(), RegisterError> {
    let coming: Vec<&Pipeline> = coming.iter().map(|each| &each.pipeline).collect();
    let all = with_registered(ledger, &coming).await?;
    order(&all.iter().collect::<Vec<_>>())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline::parse;
    use drover_shared::store::Store;
    use futures::future::join;

    use super::*;

    fn registration(name: &str, reads: &str) -> Registration {
        let text = format!(
            "{{pipeline: {{name: {name}}}, transform: {{cmd: [x]}}, input: {{pfs: {{repo: {reads}, glob: /}}}}}}"
        );
        let parsed = parse("test.yaml", &text).unwrap().remove(0);
        Registration {
            pipeline: parsed.pipeline,
            change: PipelineChange::Create(parsed.spec),
        }
    }

    #[tokio::test]
    async fn two_creations_that_race_do_not_leave_a_circle_behind() {
        for _ in 0..50 {
            let ledger = Ledger::new(Store::in_memory());
            let (one, two) = ([registration("a", "b")], [registration("b", "a")]);
            let (first, second) = join(register(&ledger, &one), register(&ledger, &two)).await;
            assert!(first.is_err() || second.is_err());
            let left = ledger.registered_pipelines().await.unwrap().len();
            let made = usize::from(first.is_ok()) + usize::from(second.is_ok());
            assert_eq!(left, made);
        }
    }
}
