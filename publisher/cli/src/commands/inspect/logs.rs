//! `drover logs`: prints the output of a job's commands.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::Duration;

use drover_shared::id::JobId;
use drover_shared::job::FailureGroup;
use drover_shared::ledger::{Ledger, LogFile, ManifestEntry};
use drover_shared::store::{Store, StoreKey};
use tokio::time::sleep;

use crate::args::{DatumChoice, Format, Logs};
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render::{LineWriter, OutputError, counted, printable};
use drover_core::catalog::{self, LogLine, LogLineJson, LogTail, Origin};

/// Maximum text of a tail in bytes.
const MAX_TAIL_BYTES: usize = 64 * 1024 * 1024;
/// Interval at which new logs are polled for.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

pub(crate) async fn logs(typed: &Logs, context: &Context) -> anyhow::Result<Exit> {
    let ledger = context.ledger().await?;
    let id = ledger.resolve(&typed.job).await?;
    let only = match &typed.datum {
        Some(choice) => Some(find(&ledger, id, choice).await?),
        None => None,
    };
    let mut printer = Printer {
        typed,
        context,
        shown: HashSet::new(),
        in_line: false,
    };
    loop {
        // The state is read before the logs, so the last pass sees all logs.
        let is_final = catalog::record(&ledger, id).await?.state.is_final();
        match &only {
            Some(entry) => printer.print_datum(&ledger, id, entry.datum.index).await?,
            None => printer.print_job(&ledger, id).await?,
        }
        if is_final || !typed.follow {
            break;
        }
        sleep(POLL_INTERVAL).await;
    }
    if printer.shown.is_empty() {
        for line in empty_log_messages(&ledger, id, only.as_ref()).await? {
            context.console.message(line);
        }
    }
    Ok(Exit::Success)
}

/// How many datums the error about an ambiguous path names.
const NAMED: usize = 5;

/// Finds the chosen datum.
async fn find(ledger: &Ledger, id: JobId, choice: &DatumChoice) -> anyhow::Result<ManifestEntry> {
    let mut found: Vec<ManifestEntry> = Vec::new();
    let mut count = 0;
    for segment in ledger.segments(id).await? {
        if matches!(choice, DatumChoice::Index(index) if !segment.contains(*index)) {
            continue;
        }
        let entries = ledger.manifest(id, segment).await?;
        for entry in entries
            .into_iter()
            .filter(|entry| choice.matches(&entry.datum))
        {
            // Datums of equal content share the id and the log, so the first datum stands for all.
            if !matches!(choice, DatumChoice::Path(_)) {
                return Ok(entry);
            }
            count += 1;
            if found.len() < NAMED {
                found.push(entry);
            }
        }
    }
    one_of(found, count, id, choice)
}

/// The single datum with the path, or an error with the candidates.
fn one_of(
    mut found: Vec<ManifestEntry>,
    count: usize,
    job: JobId,
    choice: &DatumChoice,
) -> anyhow::Result<ManifestEntry> {
    match (count, found.pop()) {
        (1, Some(entry)) => Ok(entry),
        (0, _) | (_, None) => Err(UsageError::NoDatum {
            job,
            datum: choice.to_string(),
        }
        .into()),
        (count, Some(last)) => {
            found.push(last);
            let named = found.iter().map(|entry| entry.datum.index.to_string());
            let mut candidates = named.collect::<Vec<_>>().join(", ");
            if count > found.len() {
                candidates.push_str(" …");
            }
            Err(UsageError::SeveralDatums {
                job,
                path: choice.to_string(),
                count,
                candidates,
            }
            .into())
        }
    }
}

/// Messages in place of a log: an attempt without output, or a command that never started.
async fn empty_log_messages(
    ledger: &Ledger,
    id: JobId,
    only: Option<&ManifestEntry>,
) -> anyhow::Result<Vec<String>> {
    if let Some(done) = only.and_then(|entry| entry.done) {
        return Ok(vec![format!(
            "this datum was skipped; the log of the earlier success: drover logs {} --datum {}",
            done.job.short(),
            done.index
        )]);
    }
    let mut messages = vec!["nothing was printed".to_owned()];
    if let Some(entry) = only {
        let verdict = ledger.committed(id, entry.datum.index).await?;
        let cause = verdict.and_then(|verdict| verdict.cause);
        messages.extend(
            cause.map(|cause| format!("the datum failed: {}", printable(&cause.to_string()))),
        );
        return Ok(messages);
    }
    let record = catalog::record(ledger, id).await?;
    let failures = catalog::failures(ledger, &record).await?;
    let failed = |group: &FailureGroup| {
        let datums = counted(group.count, "datum");
        format!("{datums} failed: {}", printable(&group.to_string()))
    };
    messages.extend(failures.by_count().into_iter().map(failed));
    Ok(messages)
}

/// Prints each log once.
struct Printer<'a> {
    typed: &'a Logs,
    context: &'a Context,
    shown: HashSet<StoreKey>,
    /// True after a part of a line that goes on.
    in_line: bool,
}

impl Printer<'_> {
    async fn print_datum(&mut self, ledger: &Ledger, id: JobId, index: u64) -> anyhow::Result<()> {
        let mut out = self.context.console.data();
        for log in catalog::logs_of(ledger, id, index).await? {
            let origin = Origin {
                index,
                attempt: catalog::attempt(&log.name),
            };
            self.print(ledger.store(), log, origin, "", &mut out)
                .await?;
        }
        Ok(out.finish()?)
    }

    async fn print_job(&mut self, ledger: &Ledger, id: JobId) -> anyhow::Result<()> {
        let mut out = self.context.console.data();
        for shard in ledger.log_shards(id).await? {
            for (index, log) in ledger.logs_of_shard(id, shard).await? {
                let attempt = catalog::attempt(&log.name);
                let name = attempt.map_or_else(|| "err".to_owned(), |number| number.to_string());
                let prefix = self.context.console.out.dim(format!("{index}.{name} | "));
                let origin = Origin { index, attempt };
                self.print(ledger.store(), log, origin, &prefix, &mut out)
                    .await?;
            }
        }
        Ok(out.finish()?)
    }

    async fn print(
        &mut self,
        store: &Store,
        log: LogFile,
        origin: Origin,
        prefix: &str,
        out: &mut LineWriter,
    ) -> anyhow::Result<()> {
        let wanted = self.typed.attempt.map(NonZeroU32::get);
        if self.shown.contains(&log.key) || (wanted.is_some() && wanted != origin.attempt) {
            return Ok(());
        }
        let opened = catalog::open_log(store, &log.key).await?;
        let Some(most) = self.typed.tail else {
            catalog::each_line(opened, |line| {
                self.write(line, origin, prefix, out)?;
                anyhow::Ok(ControlFlow::Continue(()))
            })?;
            self.shown.insert(log.key);
            return Ok(());
        };
        let mut tail = LogTail::new(most, MAX_TAIL_BYTES);
        catalog::each_line(opened, |line| {
            let size = line.text.len();
            tail.push(line, size);
            anyhow::Ok(ControlFlow::Continue(()))
        })?;
        for line in tail.finish().0 {
            self.write(line, origin, prefix, out)?;
        }
        self.shown.insert(log.key);
        Ok(())
    }

    fn write(
        &mut self,
        line: LogLine,
        origin: Origin,
        prefix: &str,
        out: &mut LineWriter,
    ) -> Result<(), OutputError> {
        if self.context.console.format == Format::Json {
            return out.json(&LogLineJson {
                index: origin.index,
                attempt: origin.attempt,
                time: line.time,
                stream: line.stream,
                text: String::from_utf8_lossy(&line.text).into_owned(),
            });
        }
        let shown_time = line.time.filter(|_| self.typed.timestamps);
        let time = shown_time
            .map(|time| format!("{time} "))
            .unwrap_or_default();
        if !self.in_line {
            out.raw_part(&[prefix.as_bytes(), time.as_bytes()].concat())?;
        }
        self.in_line = line.continues;
        if line.continues {
            out.raw_part(&line.text)
        } else {
            out.raw(&line.text)
        }
    }
}
