//! The attempts of a datum: the pauses between them, and the end.

use std::time::Duration;

use drover_shared::backoff::Backoff;
use drover_shared::datum::Cause;
use drover_shared::wire::Event;

use super::attempt::FailedAttempt;
use super::datum_run::{DatumOutcome, DatumRun, lease};
use super::order::CommandRole;
use crate::flow::claimed::ClaimedDatum;
use crate::flow::collect::CollectedOutput;
use crate::flow::memory::{AfterShortage, leave_to_larger};
use crate::flow_error::{FlowError, Interruption};

/// The pause after the first failed attempt, on average. A mistake in the command is seen soon; trouble that passes meets
/// the later attempts, whose pauses double.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl DatumRun<'_> {
    /// All attempts, then `err_cmd` if none succeeded. Returns their number.
    pub(super) async fn all_attempts(
        &mut self,
    ) -> Result<(DatumOutcome<CollectedOutput>, u32), FlowError> {
        let tries = self.staged.claimed.job.pipeline.datum_tries.get();
        let mut delays = Backoff::between(FIRST_PAUSE, LONGEST_PAUSE);
        let (mut attempt, mut failures) = (1, 0);
        loop {
            let FailedAttempt { cause, is_final } = match self.attempt(attempt).await? {
                Ok(collected) => return Ok((DatumOutcome::Success(collected), attempt)),
                Err(failed) => failed,
            };
            let lacked = match cause {
                Cause::Memory { bytes, .. } => Some(self.memory.after(bytes)),
                _ => None,
            };
            failures += u32::from(lacked.is_none());
            let is_over = match lacked {
                Some(after) => after != AfterShortage::Again,
                None => is_final || failures >= tries,
            };
            if is_over {
                let cause = self.with_reason(cause, lacked).await?;
                return Ok((self.rescue(cause, attempt).await?, attempt));
            }
            if self.staged.claimed.claim_lost.is_cancelled() {
                return Err(Interruption::ClaimLost.into());
            }
            self.report_retry(attempt).await?;
            let claimed = self.staged.claimed.clone();
            let waiting = async {
                match lacked {
                    Some(_) => self.lease_again().await,
                    None => self.pause(delays.next().unwrap_or_default()).await,
                }
            };
            let waiting = claimed.command_over.run_until_cancelled(waiting);
            let waited = claimed.claim_lost.run_until_cancelled(waiting).await;
            let waited = waited.ok_or(Interruption::ClaimLost)?;
            waited.ok_or_else(|| claimed.command_end(self.context))??;
            attempt += 1;
        }
    }

    /// The cause, with the memory of the largest worker if the command had all of its own. An error hands the datum to a
    /// larger worker.
    async fn with_reason(
        &self,
        cause: Cause,
        lacked: Option<AfterShortage>,
    ) -> Result<Cause, FlowError> {
        let Cause::Memory {
            bytes, input_bytes, ..
        } = cause
        else {
            return Ok(cause);
        };
        let most = match lacked {
            Some(AfterShortage::TooLarge) => {
                Some(leave_to_larger(&self.staged.claimed, bytes, self.context).await?)
            }
            _ => None,
        };
        Ok(Cause::Memory {
            bytes,
            input_bytes,
            most,
        })
    }

    /// Gives the slot back, and waits for another one with the memory for the next attempt.
    async fn lease_again(&mut self) -> Result<(), FlowError> {
        let claimed = &self.staged.claimed;
        self.lease.give_back();
        self.fresh = true;
        let lease = lease(claimed, self.memory.need(), self.context);
        self.lease = self.context.unless_interrupted(&claimed.job, lease).await?;
        Ok(())
    }

    /// Waits before the next attempt. Other datums may use the slot meanwhile.
    async fn pause(&mut self, pause: Duration) -> Result<(), FlowError> {
        let claimed = &self.staged.claimed;
        if !claimed.job.pipeline.transform.datum_batching {
            self.lease.pause();
        }
        let slot = async {
            tokio::time::sleep(pause).await;
            self.lease.resume().await;
        };
        self.context.unless_interrupted(&claimed.job, slot).await
    }

    /// Runs `err_cmd`, if any.
    async fn rescue(
        &mut self,
        cause: Cause,
        attempts: u32,
    ) -> Result<DatumOutcome<CollectedOutput>, FlowError> {
        if self
            .staged
            .claimed
            .job
            .pipeline
            .transform
            .err_cmd
            .is_empty()
        {
            return Ok(DatumOutcome::Failed(cause));
        }
        let role = CommandRole::Rescue(attempts);
        let ended = self.command(role).await;
        match ended.and_then(|ended| self.judge(role, ended)) {
            Ok(()) => Ok(DatumOutcome::Recovered(cause)),
            Err(FlowError::Datum(_)) => Ok(DatumOutcome::Failed(cause)),
            Err(failure) => Err(failure),
        }
    }

    async fn report_retry(&self, attempt: u32) -> Result<(), FlowError> {
        let ClaimedDatum {
            job,
            datum,
            redeliveries,
            ..
        } = &self.staged.claimed;
        let worker = self.context.settings.worker.clone();
        let event = Event::Retrying {
            index: datum.index,
            attempt,
            worker,
        };
        self.context.report(job, *redeliveries, event).await
    }
}
