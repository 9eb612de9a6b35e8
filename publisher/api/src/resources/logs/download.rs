//! The log of a datum as a text file.

use std::io::{self, Write};
use std::ops::ControlFlow::Continue;

use axum::http::header::CONTENT_DISPOSITION;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::list::log_files;
use crate::resources::detail::DatumPath;
use crate::routing::error::Error;
use crate::routing::produced::produced;
use crate::routing::route::ApiRequest;
use drover_core::catalog::{self, LogError};
use drover_shared::store::StoreError;

/// The attempts of the file.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct LogFileQuery {
    /// Only the attempt, counted from 1.
    attempt: Option<u32>,
}

/// A file with a line `TIME STREAM TEXT` for each line of the command, whatever its size.
pub(crate) async fn download(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<DatumPath, LogFileQuery>,
) -> Result<Response, Error> {
    let mut logs = Vec::new();
    api.named(path.id).await?;
    for (_, file) in log_files(&api, &path, query.attempt).await? {
        match catalog::open_log(api.ledger().store(), &file.key).await {
            Err(LogError::Store(StoreError::Missing { .. })) => {}
            opened => logs.push(opened?),
        }
    }
    let body = produced(move |to| {
        for log in logs {
            catalog::each_line(log, |line| {
                if let Some(time) = line.time {
                    write!(to, "{time} {} ", line.stream)?;
                }
                to.write_all(&line.text)?;
                if !line.continues {
                    to.write_all(b"\n")?;
                }
                io::Result::Ok(Continue(()))
            })?;
        }
        Ok(())
    });
    let name = format!(
        "attachment; filename=\"{}-datum-{}.log\"",
        path.id, path.index
    );
    Ok(([(CONTENT_DISPOSITION, name)], body).into_response())
}
