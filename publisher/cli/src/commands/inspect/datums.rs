//! `drover datums`: lists the datums of a job, segment by segment.

use std::ops::ControlFlow::{self, Break, Continue};

use drover_shared::datum::DatumState;
use drover_shared::id::JobId;
use drover_shared::ledger::Ledger;

use crate::args::{Datums, Format};
use crate::commands::Context;
use crate::exit::Exit;
use crate::render::{self, DatumRow, counted};
use drover_core::catalog::DatumJson;
use drover_core::catalog::{self, JobDatum};

/// Rows measured together before printing.
const TABLE_CHUNK: usize = 1000;

pub(crate) async fn datums(typed: &Datums, context: &Context) -> anyhow::Result<Exit> {
    if typed.state.iter().any(|state| is_live(*state)) {
        context.console.message(
            "running datums are listed as queued; the page and the API of `drover serve` show what runs where",
        );
    }
    let ledger = context.ledger().await?;
    let listed = DatumQuery {
        job: ledger.resolve(&typed.job).await?,
        ledger,
        states: typed.state.clone(),
        most: typed.rows.most(context.console.format),
    };
    match context.console.format {
        Format::Json => print_json(&listed, context).await?,
        Format::Text => print_table(&listed, context).await?,
    }
    Ok(Exit::Success)
}

/// True for states that only the coordinator of a job knows.
fn is_live(state: DatumState) -> bool {
    matches!(state, DatumState::Running | DatumState::Retrying)
}

async fn print_json(listed: &DatumQuery, context: &Context) -> anyhow::Result<()> {
    let mut out = context.console.data();
    let mut shown = 0;
    let each = |row: JobDatum| {
        if shown == listed.most {
            return Ok(Break(()));
        }
        shown += 1;
        out.json(&DatumJson::new(row.datum, row.state, row.verdict))?;
        Ok(Continue(()))
    };
    listed.each(each).await?;
    Ok(out.finish()?)
}

async fn print_table(listed: &DatumQuery, context: &Context) -> anyhow::Result<()> {
    let mut out = context.console.data();
    let mut table = render::datums();
    let mut count = 0;
    let each = |row: JobDatum| {
        if count < listed.most {
            table.row(cells(&row, context));
        }
        if table.waiting() > TABLE_CHUNK {
            out.lines(&table.take_lines())?;
        }
        count += 1;
        Ok(Continue(()))
    };
    listed.each(each).await?;
    out.lines(&table.take_lines())?;
    out.finish()?;
    if count > listed.most {
        let more = counted(count - listed.most, "more datum");
        context
            .console
            .message(format!("{more}; --limit 0 shows all"));
    }
    Ok(())
}

/// Selection of datums.
struct DatumQuery {
    ledger: Ledger,
    job: JobId,
    /// States; empty for all.
    states: Vec<DatumState>,
    /// Maximum number of rows.
    most: u64,
}

impl DatumQuery {
    /// Calls `each` for every selected datum until it breaks.
    async fn each(
        &self,
        mut each: impl FnMut(JobDatum) -> anyhow::Result<ControlFlow<()>>,
    ) -> anyhow::Result<()> {
        for segment in self.ledger.segments(self.job).await? {
            let verdicts = self.ledger.verdicts(self.job, segment).await?;
            for row in catalog::datum_rows(&self.ledger, self.job, segment, verdicts).await? {
                let is_wanted = self.states.is_empty() || self.states.contains(&row.state);
                if is_wanted && each(row)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

fn cells(row: &JobDatum, context: &Context) -> Vec<String> {
    let cause = row
        .verdict
        .as_ref()
        .and_then(|verdict| verdict.cause.as_ref());
    let reason = cause.map(ToString::to_string);
    let attempts = row.verdict.as_ref().map_or(0, |verdict| verdict.attempts);
    let usage = row.verdict.as_ref().and_then(|verdict| verdict.usage);
    let row = DatumRow {
        datum: &row.datum,
        state: row.state,
        attempts,
        memory: usage.map(|usage| usage.memory_bytes),
        reason: reason.as_deref(),
    };
    render::datum(&row, context.console.out)
}
