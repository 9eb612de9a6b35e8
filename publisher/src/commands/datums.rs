//! `drover datums`: the datums of a job with what became of them, segment by segment.

use drover_shared::datum::{DatumState, Verdict, VerdictState};
use drover_shared::ledger::ManifestEntry;

use super::{CommandError, Context, books};
use crate::args::{Datums, Format};
use crate::exit::Exit;
use crate::render::{self, DatumJson, DatumRow, counted};

/// Rows of the table that are measured together before they are printed.
const ROWS_AT_ONCE: usize = 1000;

pub(super) async fn datums(typed: &Datums, context: &Context) -> Result<Exit, CommandError> {
    let ledger = context.ledger().await?;
    let id = books::resolve(&ledger, &typed.job).await?;
    let most = typed.rows.most(context.console.format);
    let is_text = context.console.format == Format::Text;
    let mut out = context.console.data();
    let mut table = render::datums();
    let (mut shown, mut left_out) = (0, 0);
    'segments: for segment in ledger.segments(id).await? {
        let entries = ledger.manifest(id, segment).await?;
        let mut verdicts = ledger.verdicts(id, segment).await?.into_iter().peekable();
        for entry in &entries {
            let verdict = verdicts.next_if(|verdict| verdict.index == entry.datum.index);
            let state = standing(entry, verdict.as_ref());
            if !typed.state.is_empty() && !typed.state.contains(&state) {
                continue;
            }
            if table.len() > ROWS_AT_ONCE {
                out.lines(&table.take_lines())?;
            }
            match (shown < most, is_text) {
                (true, true) => table.row(text_row(entry, state, verdict.as_ref(), context)),
                (true, false) => {
                    out.json(&DatumJson::new(&entry.datum, state, verdict.as_ref()))?
                }
                (false, true) => left_out += 1,
                (false, false) => break 'segments,
            }
            shown = shown.saturating_add(1).min(most);
        }
    }
    if is_text {
        out.lines(&table.take_lines())?;
    }
    out.finish()?;
    if left_out > 0 {
        context.console.talk(format!(
            "{} more; --limit 0 shows all",
            counted(left_out, "datum")
        ));
    }
    Ok(Exit::Success)
}

/// Where a datum stands, from what the books say of it.
fn standing(entry: &ManifestEntry, verdict: Option<&Verdict>) -> DatumState {
    match verdict.map(|verdict| verdict.state) {
        Some(VerdictState::Success) => DatumState::Success,
        Some(VerdictState::Failed) => DatumState::Failed,
        Some(VerdictState::Recovered) => DatumState::Recovered,
        None if entry.done.is_some() => DatumState::Skipped,
        None => DatumState::Queued,
    }
}

fn text_row(
    entry: &ManifestEntry,
    state: DatumState,
    verdict: Option<&Verdict>,
    context: &Context,
) -> Vec<String> {
    let reason = verdict
        .and_then(|verdict| verdict.cause.as_ref())
        .map(ToString::to_string);
    let attempts = verdict.map_or(0, |verdict| verdict.attempts);
    let row = DatumRow {
        datum: &entry.datum,
        state,
        attempts,
        reason: reason.as_deref(),
    };
    render::datum(&row, context.console.out)
}
