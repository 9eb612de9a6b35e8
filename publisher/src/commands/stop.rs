//! `drover stop`: asks whoever runs a job to end it.

use super::{CommandError, Context, books, wait};
use crate::args::Stop;
use crate::exit::Exit;
use crate::render::{count, counted};

pub(super) async fn stop(typed: &Stop, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let id = books::resolve(&ledger, &typed.job).await?;
    let mut record = books::record(&ledger, id).await?;
    if record.state.is_final() {
        context.console.talk(format!(
            "job {id} has ended already: {}",
            books::state_word(&record)
        ));
    } else {
        let (ended, left) = (
            count(record.datums.ended()),
            counted(record.datums.outstanding(), "datum"),
        );
        context.console.talk(format!(
            "stopping job {id} of {}: {ended} done, {left} left",
            record.pipeline
        ));
        ledger.request_stop(id).await?;
        if !typed.no_wait {
            record = wait::until_final(&ledger, id).await?;
        }
    }
    let failures = books::failures(&ledger, &record).await?;
    wait::print(&record, &failures, context)?;
    Ok(Exit::Success)
}
