//! `drover publish`: submits jobs to the broker.

use drover_shared::ledger::Ledger;
use drover_shared::process::{Lifecycle, ShutdownOutcome};
use std::time::Duration;

use crate::args::{Format, Publish};
use crate::commands::cluster::broker;
use crate::commands::cluster::follow::{JobFollower, OnSignal};
use crate::commands::run::run;
use crate::commands::spec::sources;
use crate::commands::{CommandError, Context};
use crate::exit::Exit;
use drover_core::catalog;
use drover_core::coordinator::{Assignment, Scope};

/// Time for a following command to end.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) async fn publish(typed: &Publish, context: &Context) -> Result<Exit, CommandError> {
    let checked = sources::prepare(&typed.sources, context)?;
    run::print_notes(&checked, context);
    let broker = broker::connect(context).await?;
    for prepared in &checked.pipelines {
        broker::check(&broker, &prepared.pipeline, context)?;
    }
    let ledger = context.ledger().await?;
    let job = |prepared| Assignment {
        keep_going: typed.keep_going,
        ..run::new_job(prepared, Scope::Everything, typed.reprocess)
    };
    let assignments: Vec<Assignment> = checked.pipelines.iter().map(job).collect();
    catalog::submit(&assignments, &ledger, &broker).await?;
    if !typed.wait {
        return print(&assignments, context);
    }
    let lifecycle = Lifecycle::new(GRACE).map_err(run::signal_error)?;
    let follower = JobFollower {
        ledger: Ledger::clone(&ledger),
        broker,
        context: context.clone(),
        tokens: lifecycle.tokens(),
        on_signal: OnSignal::LeaveThem,
    };
    let worst = lifecycle.spawn_main(async move { follower.follow_all(assignments).await });
    if lifecycle.run().await == ShutdownOutcome::CutShort && !worst.is_finished() {
        return Ok(Exit::StillRunning);
    }
    worst
        .await
        .map_err(|error| CommandError::from(std::io::Error::other(error)))?
}

/// Prints the ids, one a line, or the records as JSON.
fn print(assignments: &[Assignment], context: &Context) -> Result<Exit, CommandError> {
    let mut out = context.console.data();
    for assignment in assignments {
        match context.console.format {
            Format::Json => out.json(&assignment.record)?,
            Format::Text => out.lines(&[assignment.record.id.to_string()])?,
        }
    }
    out.finish()?;
    Ok(Exit::Success)
}
