//! `drover wait`: until a job has ended.

use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord};
use drover_shared::ledger::Ledger;
use tokio::time::{sleep, timeout};

use crate::args::{Format, Wait};
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use crate::render;
use drover_core::catalog;

/// Between two looks at the record.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(crate) async fn wait(typed: &Wait, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let end = until_final(&ledger, id);
    let in_time = match typed.timeout {
        Some(limit) => timeout(limit, end).await.ok().transpose()?,
        None => Some(end.await?),
    };
    let record = match in_time {
        Some(record) => record,
        None => catalog::record(&ledger, id).await?,
    };
    let failures = catalog::failures(&ledger, &record).await?;
    print(&record, &failures, context)?;
    Ok(Exit::of_job(&record))
}

/// The record of a job once it is final.
pub(crate) async fn until_final(ledger: &Ledger, id: JobId) -> Result<JobRecord, CommandError> {
    loop {
        let record = catalog::record(ledger, id).await?;
        if record.state.is_final() {
            return Ok(record);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Prints a record as `run`, `wait` and `retry` do.
pub(crate) fn print(
    record: &JobRecord,
    failures: &FailureGroups,
    context: &Context,
) -> Result<(), CommandError> {
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(record)?,
        Format::Text => {
            let output = context.output(record.pipeline.as_str());
            out.lines(&render::summary(
                record,
                failures,
                context.surroundings(&output),
                context.console.out,
            ))?;
        }
    }
    Ok(out.finish()?)
}
