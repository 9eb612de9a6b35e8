//! Tells the success of a command from its failure.

use drover_shared::datum::Cause;

use super::command::EndedCommand;
use super::datum_run::DatumRun;
use super::order::CommandRole;
use crate::flow_error::FlowError;
use crate::runner::Ending;

/// The reason of the failure if a command with `datum_batching` exits with an accepted code.
const PREMATURE: &str = "it exited prematurely: call `next-datum` again after each datum; after the last one the command is ended";

impl DatumRun<'_> {
    /// True if the command succeeded by its exit code.
    pub(super) fn is_accepted(&self, ending: &Ending) -> bool {
        let accepted = &self
            .staged
            .claimed
            .job
            .pipeline
            .transform
            .accept_return_code;
        match ending {
            Ending::Exited(code) => *code == 0 || accepted.contains(code),
            Ending::Asked => true,
            _ => false,
        }
    }

    /// The result of a command that has ended: success, or the failure that follows.
    pub(super) fn judge(&self, role: CommandRole, ended: EndedCommand) -> Result<(), FlowError> {
        if let Some(bytes) = ended.lacked {
            return Err(FlowError::Datum(Cause::Memory {
                bytes,
                input_bytes: self.staged.bytes,
                most: None,
            }));
        }
        if let (Some(bytes), Ending::Cancelled) = (ended.filled, &ended.execution.ending) {
            let limit = self.context.settings.scratch_limit.unwrap_or(0);
            return Err(FlowError::Datum(Cause::Scratch { bytes, limit }));
        }
        let transform = &self.staged.claimed.job.pipeline.transform;
        let is_accepted = self.is_accepted(&ended.execution.ending);
        let last_line = ended.execution.last_line;
        Err(FlowError::Datum(match ended.execution.ending {
            Ending::Asked => return Ok(()),
            Ending::GaveUp(message) => Cause::GaveUp { message },
            Ending::Exited(code) if is_accepted && role.stays(transform) => Cause::Exit {
                code,
                last_line: PREMATURE.to_owned(),
            },
            Ending::Exited(_) if is_accepted => return Ok(()),
            Ending::Exited(code) => Cause::Exit { code, last_line },
            Ending::Signaled(signal) => Cause::Signal { signal, last_line },
            Ending::TimedOut => Cause::Timeout { last_line },
            Ending::NotStarted(message) => Cause::Start { message },
            Ending::Cancelled => {
                return Err(self.staged.claimed.command_end(self.context).into());
            }
        }))
    }
}
