//! Log lines of a datum, page by page.

use std::ops::ControlFlow::{self, Break, Continue};

use drover_shared::ledger::{LiveLog, LogFile};
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::resources::detail::{DatumPath, no_datum};
use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::query::Bounded;
use crate::routing::route::ApiRequest;
use drover_core::catalog::LogLineJson;
use drover_core::catalog::{self, LogError, LogTail};

/// Maximum text of an answer in bytes.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Filter and limit of the list.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct LogsQuery {
    /// Only lines of the attempt, counted from 1.
    attempt: Option<u32>,
    /// Only lines that contain the text; case is ignored.
    contains: Option<String>,
    /// Only lines from this one on, by `line`.
    offset: Option<u64>,
    /// How many lines, at most.
    #[serde(default)]
    limit: Bounded<1000, 10_000>,
    /// The last so many lines instead of the first `limit`.
    tail: Option<Bounded<1000, 10_000>>,
}

/// Log lines of the command.
#[derive(JsonSchema, Serialize)]
pub(crate) struct LogPage {
    lines: Vec<NumberedLine>,
    /// True if lines were left out: after these, or before them with `tail`.
    truncated: bool,
}

/// A line with its place.
#[derive(JsonSchema, Serialize)]
struct NumberedLine {
    /// Place among all lines of the datum, or of the attempt that was asked for, counted from 0.
    line: u64,
    #[serde(flatten)]
    text: LogLineJson,
}

pub(crate) async fn list(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<DatumPath, LogsQuery>,
) -> Result<LogPage, Error> {
    let (ledger, index) = (api.ledger(), path.index);
    let kept = match query.tail {
        Some(most) => KeptLines::Last(LogTail::new(most.get(), MAX_TEXT_BYTES)),
        None => KeptLines::First {
            lines: Vec::new(),
            most_lines: query.limit.get(),
            text_left: MAX_TEXT_BYTES,
            truncated: false,
        },
    };
    let mut collector = LogCollector {
        kept,
        wanted: query.contains.map(|text| text.to_lowercase()),
        offset: query.offset.unwrap_or(0),
        line: 0,
    };
    // The state is read before the logs, so a log that is not growing any more is found among the finished ones.
    let is_final = api.named(path.id).await?.state.is_final();
    let files = log_files(&api, &path, query.attempt).await?;
    for (attempt, file) in &files {
        let log = match catalog::open_log(ledger.store(), &file.key).await {
            Err(LogError::Store(StoreError::Missing { .. })) => continue,
            opened => opened?,
        };
        collector = collector.take_all(log, *attempt, index).await?;
    }
    let growing = if is_final {
        Vec::new()
    } else {
        growing_logs(&api, &path, query.attempt, &files).await?
    };
    for (attempt, log) in growing {
        let log = std::io::Cursor::new(log.text);
        collector = collector.take_all(log, attempt, index).await?;
    }
    Ok(collector.finish())
}

/// Logs of running attempts of a job that has not ended; `ended` are the logs of ended attempts.
async fn growing_logs(
    api: &Api,
    &DatumPath { id, index }: &DatumPath,
    only: Option<u32>,
    ended: &[(Option<u32>, LogFile)],
) -> Result<Vec<(Option<u32>, LiveLog)>, Error> {
    let mut logs = Vec::new();
    api.follow(id).await;
    for file in api.ledger().live_logs_of(id, index).await? {
        let attempt = catalog::attempt(&file.name);
        let has_ended = ended.iter().any(|(_, known)| known.name == file.name);
        if has_ended || only.is_some() && only != attempt {
            continue;
        }
        let log = api.ledger().live_log(&file.key).await?;
        logs.extend(log.map(|log| (attempt, log)));
    }
    Ok(logs)
}

/// The log files of a datum, of all attempts or of one.
pub(super) async fn log_files(
    api: &Api,
    &DatumPath { id, index }: &DatumPath,
    only: Option<u32>,
) -> Result<Vec<(Option<u32>, LogFile)>, Error> {
    let ledger = api.ledger();
    let segments = ledger.segments(id).await?;
    if !segments.iter().any(|segment| segment.contains(index)) {
        return Err(no_datum(id, index));
    }
    let files = catalog::logs_of(ledger, id, index).await?.into_iter();
    let files = files.map(|file| (catalog::attempt(&file.name), file));
    Ok(files
        .filter(|(attempt, _)| only.is_none() || only == *attempt)
        .collect())
}

/// Collects lines up to the limits of an answer.
struct LogCollector {
    kept: KeptLines,
    /// Text of the wanted lines, in lower case.
    wanted: Option<String>,
    /// The first line that may be kept.
    offset: u64,
    /// Number of lines so far.
    line: u64,
}

enum KeptLines {
    /// The first lines.
    First {
        lines: Vec<NumberedLine>,
        most_lines: usize,
        text_left: usize,
        truncated: bool,
    },
    /// The last lines.
    Last(LogTail<NumberedLine>),
}

impl LogCollector {
    /// Takes the lines of a log, on a thread for blocking work.
    async fn take_all(
        self,
        log: impl std::io::BufRead + Send + 'static,
        attempt: Option<u32>,
        index: u64,
    ) -> Result<Self, Error> {
        let reading = spawn_blocking(move || self.take(log, attempt, index));
        let read = reading.await.map_err(std::io::Error::other);
        Ok(read.and_then(|read| read).map_err(LogError::Io)?)
    }

    fn take(
        mut self,
        log: impl std::io::BufRead,
        attempt: Option<u32>,
        index: u64,
    ) -> std::io::Result<Self> {
        catalog::each_line(log, |line| {
            let number = self.line;
            self.line += 1;
            let text = String::from_utf8_lossy(&line.text);
            let is_wanted = |wanted: &String| text.to_lowercase().contains(wanted.as_str());
            if number < self.offset || !self.wanted.as_ref().is_none_or(is_wanted) {
                return Ok(Continue(()));
            }
            let line = NumberedLine {
                line: number,
                text: LogLineJson {
                    index,
                    attempt,
                    time: line.time,
                    stream: line.stream,
                    text: text.into_owned(),
                },
            };
            Ok::<_, std::io::Error>(self.kept.push(line))
        })?;
        Ok(self)
    }

    fn finish(self) -> LogPage {
        match self.kept {
            KeptLines::First {
                lines, truncated, ..
            } => LogPage { lines, truncated },
            KeptLines::Last(tail) => {
                let (lines, dropped) = tail.finish();
                LogPage {
                    lines,
                    truncated: dropped > 0,
                }
            }
        }
    }
}

impl KeptLines {
    fn push(&mut self, line: NumberedLine) -> ControlFlow<()> {
        let size = line.text.text.len();
        match self {
            Self::Last(tail) => tail.push(line, size),
            Self::First {
                lines,
                most_lines,
                text_left,
                truncated,
            } => {
                // The first line always fits, so that a client that asks for the rest makes progress.
                if *truncated
                    || lines.len() == *most_lines
                    || size > *text_left && !lines.is_empty()
                {
                    *truncated = true;
                    return Break(());
                }
                *text_left = text_left.saturating_sub(size);
                lines.push(line);
            }
        }
        Continue(())
    }
}
