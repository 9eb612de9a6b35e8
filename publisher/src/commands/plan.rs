//! `drover plan`: the datums that a run would work on, as they are found.

use std::io;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::sources::{self, Prepared};
use super::{CommandError, Context};
use crate::args::{Format, Plan};
use crate::exit::Exit;
use crate::expand::{Datums, StoreListings, expand};
use crate::render::{self, Console, PlannedJson};

/// Rows of the table that are measured together before they are printed.
const ROWS_AT_ONCE: usize = 1000;

pub(super) async fn plan(typed: &Plan, context: &Context) -> Result<Exit, CommandError> {
    let checked = sources::prepare(&typed.sources, context)?;
    let store = context.open().await?;
    let most = typed.rows.most(context.console.format);
    let has_titles = checked.pipelines.len() > 1;
    for Prepared { pipeline, .. } in checked.pipelines {
        let listings = StoreListings::open(&pipeline, &store).await?;
        let datums = expand(&pipeline, Arc::new(listings))?;
        let console = context.console;
        let title = has_titles.then(|| console.out.bold(format!("{}:", pipeline.name)));
        let printed = spawn_blocking(move || match console.format {
            Format::Json => print_json(datums, most, console),
            Format::Text => print_table(datums, most, title, console),
        });
        printed.await.map_err(io::Error::other)??;
    }
    Ok(Exit::Success)
}

fn print_json(datums: Datums, most: u64, console: Console) -> Result<(), CommandError> {
    let mut out = console.data();
    let mut shown = 0;
    for datum in datums {
        if shown == most {
            break;
        }
        out.json(&PlannedJson::new(&datum?))?;
        shown += 1;
    }
    Ok(out.finish()?)
}

/// Prints the first datums, and counts all of them.
fn print_table(
    datums: Datums,
    most: u64,
    title: Option<String>,
    console: Console,
) -> Result<(), CommandError> {
    let mut out = console.data();
    out.lines(title.as_slice())?;
    let mut table = render::plan();
    let (mut count, mut bytes) = (0, 0_u64);
    for datum in datums {
        let datum = datum?;
        if count < most {
            table.row(render::planned(&datum));
        }
        if table.len() > ROWS_AT_ONCE {
            out.lines(&table.take_lines())?;
        }
        count += 1;
        bytes = bytes.saturating_add(render::size(&datum));
    }
    out.lines(&table.take_lines())?;
    out.line(render::plan_total(count, count.min(most), bytes))?;
    Ok(out.finish()?)
}
