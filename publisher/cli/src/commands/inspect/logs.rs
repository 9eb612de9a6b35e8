//! `drover logs`: prints the output of a job's commands.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Seek, SeekFrom};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use drover_shared::id::JobId;
use drover_shared::job::FailureGroup;
use drover_shared::ledger::{Ledger, LiveLog, LogFile, ManifestEntry};
use drover_shared::store::Store;
use tokio::time::sleep;

use crate::args::{DatumChoice, Format, Logs};
use crate::commands::{Context, UsageError};
use crate::exit::Exit;
use crate::render::{LineWriter, OutputError, counted, printable};
use drover_core::catalog::{self, LogLine, LogLineJson, LogTail, Origin};

/// Maximum text of a tail in bytes.
const MAX_TAIL_BYTES: usize = 64 * 1024 * 1024;
/// Interval at which new logs are polled for, in a folder and in a bucket.
const POLL_INTERVAL: Duration = Duration::from_millis(300);
const POLL_BUCKET_INTERVAL: Duration = Duration::from_secs(2);
/// Interval at which workers are asked for growing logs.
const MARK_INTERVAL: Duration = Duration::from_secs(10);

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
        growing: HashMap::new(),
        in_line: false,
    };
    let mut follower = Follower::default();
    let interval = match ledger.store().local_root() {
        Some(_) => POLL_INTERVAL,
        None => POLL_BUCKET_INTERVAL,
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
        follower.mark(&ledger, id, context).await;
        let index = only.as_ref().map(|entry| entry.datum.index);
        printer.print_growing(&ledger, id, index).await?;
        sleep(interval).await;
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

/// Asks the workers of a job for growing logs.
#[derive(Default)]
struct Follower {
    marked: Option<Instant>,
    is_refused: bool,
}

impl Follower {
    /// Renews the mark in the store. A store that cannot be written shows finished logs only.
    async fn mark(&mut self, ledger: &Ledger, job: JobId, context: &Context) {
        let is_due = |marked: Instant| marked.elapsed() >= MARK_INTERVAL;
        if self.is_refused || !self.marked.is_none_or(is_due) {
            return;
        }
        self.marked = Some(Instant::now());
        let mark = jiff::Timestamp::now().to_string();
        if let Err(error) = ledger.mark_followed(job, &mark).await {
            self.is_refused = true;
            context.console.message(format!(
                "the logs of running attempts are not shown, as workers cannot be asked for them: {error}"
            ));
        }
    }
}

/// Prints each log once.
struct Printer<'a> {
    typed: &'a Logs,
    context: &'a Context,
    /// Names of the finished logs that were printed.
    shown: HashSet<String>,
    /// For growing logs by name: the bytes that were printed.
    growing: HashMap<String, u64>,
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
                let origin = Origin { index, attempt };
                let prefix = self.prefix(origin);
                self.print(ledger.store(), log, origin, &prefix, &mut out)
                    .await?;
            }
        }
        Ok(out.finish()?)
    }

    /// The beginning of each line among the lines of other attempts.
    fn prefix(&self, Origin { index, attempt }: Origin) -> String {
        let name = attempt.map_or_else(|| "err".to_owned(), |number| number.to_string());
        self.context.console.out.dim(format!("{index}.{name} | "))
    }

    /// Prints what was added to the logs of running attempts, of all datums or of one.
    async fn print_growing(
        &mut self,
        ledger: &Ledger,
        id: JobId,
        only: Option<u64>,
    ) -> anyhow::Result<()> {
        let mut out = self.context.console.data();
        for (index, log) in ledger.live_logs(id).await? {
            let origin = Origin {
                index,
                attempt: catalog::attempt(&log.name),
            };
            let is_other = only.is_some_and(|only| only != index);
            if is_other || !self.is_wanted(origin) || self.shown.contains(log.key.name()) {
                continue;
            }
            if let Some(live) = ledger.live_log(&log.key).await? {
                let prefix = match only {
                    Some(_) => String::new(),
                    None => self.prefix(origin),
                };
                self.print_growth(&live, log.key.name(), origin, &prefix, &mut out)?;
            }
        }
        Ok(out.finish()?)
    }

    fn print_growth(
        &mut self,
        log: &LiveLog,
        name: &str,
        origin: Origin,
        prefix: &str,
        out: &mut LineWriter,
    ) -> anyhow::Result<()> {
        let known = self.growing.insert(name.to_owned(), log.end());
        let (missed, text) = log.after(known.unwrap_or_default());
        let most = self.typed.tail.filter(|_| known.is_none());
        if missed > 0 && most.is_none() {
            self.context.console.message(format!(
                "{missed} bytes of datum {} are left out here; `drover logs` without --follow shows them once the attempt has ended",
                origin.index
            ));
        }
        self.print_lines(text, most, origin, prefix, out)
    }

    fn is_wanted(&self, origin: Origin) -> bool {
        let wanted = self.typed.attempt.map(NonZeroU32::get);
        wanted.is_none() || wanted == origin.attempt
    }

    async fn print(
        &mut self,
        store: &Store,
        log: LogFile,
        origin: Origin,
        prefix: &str,
        out: &mut LineWriter,
    ) -> anyhow::Result<()> {
        if self.shown.contains(log.key.name()) || !self.is_wanted(origin) {
            return Ok(());
        }
        let mut opened = catalog::open_log(store, &log.key).await?;
        // The beginning was printed while the log grew.
        let printed = self.growing.remove(log.key.name());
        opened.seek(SeekFrom::Start(printed.unwrap_or_default()))?;
        let most = self.typed.tail.filter(|_| printed.is_none());
        self.print_lines(opened, most, origin, prefix, out)?;
        self.shown.insert(log.key.name().to_owned());
        Ok(())
    }

    /// Prints all lines, or the last `most`.
    fn print_lines(
        &mut self,
        text: impl BufRead,
        most: Option<usize>,
        origin: Origin,
        prefix: &str,
        out: &mut LineWriter,
    ) -> anyhow::Result<()> {
        let Some(most) = most else {
            return catalog::each_line(text, |line| {
                self.write(line, origin, prefix, out)?;
                anyhow::Ok(ControlFlow::Continue(()))
            });
        };
        let mut tail = LogTail::new(most, MAX_TAIL_BYTES);
        catalog::each_line(text, |line| {
            let size = line.text.len();
            tail.push(line, size);
            anyhow::Ok(ControlFlow::Continue(()))
        })?;
        for line in tail.finish().0 {
            self.write(line, origin, prefix, out)?;
        }
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
