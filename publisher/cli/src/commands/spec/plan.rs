//! `drover plan`: previews the datums of a run while they are found.

use anyhow::Context as _;
use std::sync::Arc;

use drover_shared::ledger::Ledger;
use tokio::task::spawn_blocking;

use crate::args::{Format, Plan};
use crate::commands::Context;
use crate::commands::spec::sources::{self, CheckedSpecs, PreparedPipeline};
use crate::exit::Exit;
use crate::render::{self, Console};
use drover_core::catalog::{PlanHistory, PlanReason, PlannedJson};
use drover_core::expand::{DatumStream, ExpandError, Listings as _, StoreListings, expand};

/// Rows measured together before printing.
const TABLE_CHUNK: usize = 1000;

pub(crate) async fn plan(typed: &Plan, context: &Context) -> anyhow::Result<Exit> {
    let checked = sources::prepare(&typed.sources, context)?;
    if typed.sources.one_liner.print_spec {
        return print_spec(&checked, context);
    }
    let store = context.open().await?;
    let most = typed.rows.most(context.console.format);
    for (at, PreparedPipeline { pipeline, spec }) in checked.pipelines.iter().enumerate() {
        let listings = match StoreListings::open(pipeline, &store).await {
            Ok(listings) => listings,
            Err(ExpandError::NoRepo { repo, .. })
                if is_made_by(&checked.pipelines[..at], &repo) =>
            {
                let name = &pipeline.name;
                context.console.message(format!(
                    "{name} has no plan yet: it reads the output of {repo}, which does not exist yet"
                ));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let history = if typed.why {
            let ledger = Ledger::new(store.clone());
            let code = listings.code();
            Some(PlanHistory::load(&ledger, &pipeline.name, spec, code).await?)
        } else {
            None
        };
        let datums = expand(pipeline, Arc::new(listings))?;
        let console = context.console;
        let has_title = checked.pipelines.len() > 1;
        let title = has_title.then(|| console.out.bold(format!("{}:", pipeline.name)));
        let printed = spawn_blocking(move || match console.format {
            Format::Json => print_json(datums, history.as_ref(), most, console),
            Format::Text => print_table(datums, history.as_ref(), most, title.as_deref(), console),
        });
        printed.await.context("a task of the command failed")??;
    }
    Ok(Exit::Success)
}

/// Prints the specs of one-liners, as YAML or JSON.
pub(crate) fn print_spec(checked: &CheckedSpecs, context: &Context) -> anyhow::Result<Exit> {
    let mut out = context.console.data();
    for each in &checked.pipelines {
        match context.console.format {
            Format::Json => out.json(&each.spec)?,
            Format::Text => {
                let text = serde_saphyr::to_string(&each.spec).context("cannot show the spec")?;
                out.line(text.trim_end())?;
            }
        }
    }
    out.finish()?;
    Ok(Exit::Success)
}

/// True if a repo is the output of one of the given pipelines.
fn is_made_by(pipelines: &[PreparedPipeline], repo: &str) -> bool {
    pipelines
        .iter()
        .any(|each| each.pipeline.name.as_str() == repo)
}

fn print_json(
    datums: DatumStream,
    history: Option<&PlanHistory>,
    most: u64,
    console: Console,
) -> anyhow::Result<()> {
    let mut out = console.data();
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    for datum in datums.take(most) {
        let datum = datum?;
        let why = history.map(|history| history.reason(&datum).to_string());
        out.json(&PlannedJson::new(datum, why))?;
    }
    Ok(out.finish()?)
}

/// Prints the first datums and the total.
fn print_table(
    datums: DatumStream,
    history: Option<&PlanHistory>,
    most: u64,
    title: Option<&str>,
    console: Console,
) -> anyhow::Result<()> {
    let mut out = console.data();
    if let Some(title) = title {
        out.line(title)?;
    }
    let mut table = render::plan(history.is_some());
    let (mut count, mut bytes, mut skipped) = (0, 0_u64, 0);
    for datum in datums {
        let datum = datum?;
        let reason = history.map(|history| history.reason(&datum));
        skipped += u64::from(reason.as_ref().is_some_and(PlanReason::is_skipped));
        if count < most {
            table.row(render::planned(&datum, reason.as_ref()));
        }
        if table.waiting() > TABLE_CHUNK {
            out.lines(&table.take_lines())?;
        }
        count += 1;
        bytes = bytes.saturating_add(render::size(&datum));
    }
    out.lines(&table.take_lines())?;
    out.line(render::plan_total(count, count.min(most), bytes))?;
    if history.is_some() {
        let (todo, skipped) = (count - skipped, render::count(skipped));
        out.line(format!("{} to do, {skipped} skipped", render::count(todo)))?;
    }
    Ok(out.finish()?)
}
