//! One attempt: run the command, collect the output, check inputs and code again.

use std::sync::Arc;

use drover_shared::datum::Cause;

use super::datum_run::DatumRun;
use super::order::CommandRole;
use super::scratch_check::check_scratch;
use crate::flow::collect::{CollectedOutput, collect};
use crate::flow::stage::InputCheck;
use crate::flow_error::FlowError;
use crate::jobs::{CodeCheck, CodeMoment};
use crate::metrics;

/// A failed attempt.
pub(super) struct FailedAttempt {
    pub(super) cause: Cause,
    /// True if no other attempt can succeed.
    pub(super) is_final: bool,
}

impl DatumRun<'_> {
    /// One attempt: run the command, collect the output, check the inputs again.
    pub(super) async fn attempt(
        &mut self,
        attempt: u32,
    ) -> Result<Result<CollectedOutput, FailedAttempt>, FlowError> {
        let begun = self.staged.claimed.job.code.moment();
        let collected = match self.run_and_collect(attempt).await {
            Ok(collected) => Ok(collected),
            Err(FlowError::Datum(cause)) => {
                self.exclude_scratch_trouble().await?;
                Err(FailedAttempt {
                    is_final: matches!(cause, Cause::Start { .. }),
                    cause,
                })
            }
            Err(failure) => return Err(failure),
        };
        let collected = match self.staged.check_inputs().await? {
            InputCheck::Unchanged => collected,
            InputCheck::Touched(input) => Err(void_attempt(&format!("input {input}"), false)),
            InputCheck::Changed(input) => Err(void_attempt(&format!("input {input}"), true)),
        };
        let collected = match self.check_code(begun).await? {
            CodeCheck::Unchanged => collected,
            CodeCheck::Touched(file) => Err(void_attempt(&format!("code file {file}"), false)),
            CodeCheck::Changed(file) => Err(void_attempt(&format!("code file {file}"), true)),
        };
        metrics::attempted(collected.as_ref().err().map(|failed| &failed.cause));
        Ok(collected)
    }

    /// Fails if the scratch directory may be to blame for a failed attempt.
    async fn exclude_scratch_trouble(&mut self) -> Result<(), FlowError> {
        self.fresh |= check_scratch(&mut self.lease, self.staged, self.context).await?;
        Ok(())
    }

    /// Looks at the code files again.
    async fn check_code(&self, begun: CodeMoment) -> Result<CodeCheck, FlowError> {
        let job = &self.staged.claimed.job;
        if let Some(object) = job.code_objects.changed().await? {
            return Ok(CodeCheck::Changed(object));
        }
        let code = Arc::clone(&job.code);
        if code.is_empty() {
            return Ok(CodeCheck::Unchanged);
        }
        let checked = tokio::task::spawn_blocking(move || code.check(begun)).await;
        Ok(checked.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
    }

    async fn run_and_collect(&mut self, attempt: u32) -> Result<CollectedOutput, FlowError> {
        let ended = self.command(CommandRole::Attempt(attempt)).await?;
        let output = ended.execution.output;
        self.judge(CommandRole::Attempt(attempt), ended)?;
        if !output {
            return Ok(CollectedOutput::default()); // saves the walk; many commands write nothing
        }
        collect(&mut self.lease, self.staged, self.context).await
    }
}

/// The failure of an attempt whose inputs or code, named by `what`, may differ from the content in the datum's id.
fn void_attempt(what: &str, is_final: bool) -> FailedAttempt {
    let message = format!("{what} changed while its datum ran; run the pipeline again");
    FailedAttempt {
        cause: Cause::Input { message },
        is_final,
    }
}
