//! `drover wait`: waits for the end of a job.

use std::convert::Infallible;
use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord, JobState};
use drover_shared::ledger::Ledger;
use tokio::time::{sleep, timeout};

use crate::args::{Format, Wait};
use crate::commands::{Context, broker};
use crate::exit::Exit;
use crate::render;
use drover_core::catalog;

/// Interval at which the record is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Interval at which the command looks for what holds up the job.
const TELL_EVERY: Duration = Duration::from_secs(5);

pub(crate) async fn wait(typed: &Wait, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let end = async {
        tokio::select! {
            record = until_final(&ledger, id) => record,
            never = tell_what_for(&ledger, id, context) => match never {},
        }
    };
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

/// Prints the reason of the wait, and prints a changed reason again.
async fn tell_what_for(ledger: &Ledger, id: JobId, context: &Context) -> Infallible {
    let mut told = String::new();
    loop {
        sleep(TELL_EVERY).await;
        let what = match what_for(ledger, id, context).await {
            Ok(what) => what,
            Err(error) => format!("{error:#}"),
        };
        if what != told {
            context
                .console
                .message(format!("waiting for job {}: {what}", id.short()));
            told = what;
        }
    }
}

/// The state of the job, and its obstacle as far as the broker is known.
async fn what_for(ledger: &Ledger, id: JobId, context: &Context) -> anyhow::Result<String> {
    let record = catalog::record(ledger, id).await?;
    let submission = ledger.submission(id).await?;
    let obstacle = if submission.is_some() && context.broker.url.is_some() {
        let broker = broker::connect_to_look(context, ledger).await?;
        catalog::obstacle(ledger, Some(&broker), &record, submission.as_ref()).await?
    } else {
        None
    };
    let state = format!("{} is {}", record.pipeline, record.state);
    Ok(obstacle.map_or_else(|| state.clone(), |why| format!("{state}; {why}")))
}

/// Waits until the job has ended, and returns the final record.
pub(crate) async fn until_final(ledger: &Ledger, id: JobId) -> anyhow::Result<JobRecord> {
    loop {
        let record = catalog::record(ledger, id).await?;
        if record.state.is_final() {
            return Ok(record);
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Prints the summary of a job, or the record as JSON.
pub(crate) fn print(
    record: &JobRecord,
    failures: &FailureGroups,
    context: &Context,
) -> anyhow::Result<()> {
    let mut out = context.console.data();
    match context.console.format {
        Format::Json => out.json(record)?,
        Format::Text if context.console.quiet && record.state == JobState::Success => {}
        Format::Text => {
            let output = context.output(record.pipeline.as_str());
            out.lines(&render::summary(
                record,
                failures,
                context.summary_context(&output),
                context.console.out,
            ))?;
        }
    }
    Ok(out.finish()?)
}
