//! Log lines of a datum.

use std::ops::ControlFlow::{Break, Continue};

use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::detail::{DatumPath, no_datum};
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
    /// How many lines, at most.
    #[serde(default)]
    limit: Bounded<1000, 10_000>,
    /// The last so many lines instead of the first `limit`.
    tail: Option<Bounded<1000, 10_000>>,
}

/// Log lines of the command.
#[derive(JsonSchema, Serialize)]
pub(crate) struct LogPage {
    lines: Vec<LogLineJson>,
    /// True if lines were left out: after these, or before them with `tail`.
    truncated: bool,
}

pub(crate) async fn list(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<DatumPath, LogsQuery>,
) -> Result<LogPage, Error> {
    let (ledger, DatumPath { id, index }) = (api.ledger(), path);
    api.named(id).await?;
    let segments = ledger.segments(id).await?;
    if !segments.iter().any(|segment| segment.contains(index)) {
        return Err(no_datum(id, index));
    }
    let mut collector = match query.tail {
        Some(most) => LogCollector::Last(LogTail::new(most.get(), MAX_TEXT_BYTES)),
        None => LogCollector::First {
            lines: Vec::new(),
            most_lines: query.limit.get(),
            text_left: MAX_TEXT_BYTES,
            truncated: false,
        },
    };
    for file in catalog::logs_of(ledger, id, index).await? {
        let attempt = catalog::attempt(&file.name);
        if query.attempt.is_some() && query.attempt != attempt {
            continue;
        }
        let log = match catalog::open_log(ledger.store(), &file.key).await {
            Err(LogError::Store(StoreError::Missing { .. })) => continue,
            opened => opened?,
        };
        let reading = spawn_blocking(move || collector.take(log, attempt, index));
        collector = reading
            .await
            .map_err(std::io::Error::other)
            .and_then(|read| read)
            .map_err(LogError::Io)?;
    }
    Ok(collector.finish())
}

/// Collects lines up to the limits of an answer.
enum LogCollector {
    /// The first lines.
    First {
        lines: Vec<LogLineJson>,
        most_lines: usize,
        text_left: usize,
        truncated: bool,
    },
    /// The last lines.
    Last(LogTail<LogLineJson>),
}

impl LogCollector {
    fn take(
        mut self,
        log: impl std::io::BufRead,
        attempt: Option<u32>,
        index: u64,
    ) -> std::io::Result<Self> {
        catalog::each_line(log, |line| {
            let size = line.text.len();
            let json = LogLineJson {
                index,
                attempt,
                time: line.time,
                stream: line.stream,
                text: String::from_utf8_lossy(&line.text).into_owned(),
            };
            match &mut self {
                Self::Last(tail) => tail.push(json, size),
                Self::First {
                    lines,
                    most_lines,
                    text_left,
                    truncated,
                } => {
                    if lines.len() == *most_lines || size > *text_left {
                        *truncated = true;
                        return Ok(Break(()));
                    }
                    *text_left -= size;
                    lines.push(json);
                }
            }
            Ok::<_, std::io::Error>(Continue(()))
        })?;
        Ok(self)
    }

    fn finish(self) -> LogPage {
        match self {
            Self::First {
                lines, truncated, ..
            } => LogPage { lines, truncated },
            Self::Last(tail) => {
                let (lines, dropped) = tail.finish();
                LogPage {
                    lines,
                    truncated: dropped > 0,
                }
            }
        }
    }
}
