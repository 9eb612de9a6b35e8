//! `drover report`: describes a job in one HTML file.

use anyhow::Context as _;
use std::collections::VecDeque;
use std::ops::ControlFlow;

use drover_core::catalog::{self, LogError};
use drover_shared::id::JobId;
use drover_shared::job::{FailureGroups, JobRecord};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use jiff::Timestamp;

use crate::args::Report;
use crate::commands::Context;
use crate::exit::Exit;
use crate::render::{self, JobReport};

/// Groups of failures with a log.
const MAX_LOGS: usize = 20;
/// Lines of each log, from its end.
const LOG_LINES: usize = 40;
/// Bars of the chart.
const BARS: usize = 100;
/// Verdicts that are read for the chart, about.
const SAMPLED_VERDICTS: u64 = 100_000;

pub(crate) async fn report(typed: &Report, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let record = catalog::record(&ledger, id).await?;
    let failures = catalog::failures(&ledger, &record).await?;
    let spec = serde_saphyr::to_string(&ledger.spec(id).await?).context("cannot show the spec")?;
    let html = render::report(&JobReport {
        record: &record,
        failures: &failures,
        logs: &logs(&ledger, id, &failures).await?,
        throughput: &throughput(&ledger, &record).await?,
        spec: &spec,
        store: &context.location()?.to_string(),
        now: Timestamp::now(),
    });
    if let Some(file) = &typed.file {
        std::fs::write(file, html)
            .with_context(|| format!("cannot write the report to {}", file.display()))?;
    } else {
        let mut out = context.console.data();
        out.raw(html.trim_end().as_bytes())?;
        out.finish()?;
    }
    Ok(Exit::Success)
}

/// The end of the log of one datum of each group.
async fn logs(
    ledger: &Ledger,
    job: JobId,
    failures: &FailureGroups,
) -> anyhow::Result<Vec<String>> {
    let mut logs = Vec::new();
    for group in failures.by_count().into_iter().take(MAX_LOGS) {
        let mut lines: VecDeque<String> = VecDeque::new();
        for index in group.samples.iter().take(1) {
            for file in catalog::logs_of(ledger, job, *index).await? {
                let log = match catalog::open_log(ledger.store(), &file.key).await {
                    Err(LogError::Store(StoreError::Missing { .. })) => continue,
                    opened => opened?,
                };
                catalog::each_line(log, |line| {
                    lines.push_back(String::from_utf8_lossy(&line.text).into_owned());
                    if lines.len() > LOG_LINES {
                        lines.pop_front();
                    }
                    anyhow::Ok(ControlFlow::Continue(()))
                })?;
            }
        }
        logs.push(Vec::from(lines).join("\n"));
    }
    Ok(logs)
}

/// Ended datums in equal parts of the job's time; of a large job a sample.
async fn throughput(ledger: &Ledger, record: &JobRecord) -> anyhow::Result<Vec<u64>> {
    let mut bars = vec![0; BARS];
    let from = record.started.unwrap_or(record.created);
    let to = record.finished.unwrap_or_else(Timestamp::now);
    let length = to.duration_since(from).as_millis().max(1);
    let nth = usize::try_from(record.datums.total / SAMPLED_VERDICTS + 1).unwrap_or(usize::MAX);
    for segment in ledger.segments(record.id).await? {
        for verdict in ledger.sample_verdicts(record.id, segment, nth).await? {
            let at = verdict.finished.duration_since(from).as_millis();
            let bar = (at * BARS as i128 / length).clamp(0, BARS as i128 - 1);
            let bar = usize::try_from(bar).unwrap_or_default();
            bars[bar] += nth as u64;
        }
    }
    Ok(bars)
}
