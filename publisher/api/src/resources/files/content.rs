//! The bytes of a file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;

use super::place::{data_key, open};
use crate::routing::body::Empty;
use crate::routing::error::Error;
use crate::routing::produced::produced;
use crate::routing::route::ApiRequest;

/// A file, or a part of it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ContentQuery {
    /// Path below the store, `/photos/a.jpg`.
    path: String,
    /// The first byte.
    #[serde(default)]
    offset: u64,
    /// How many bytes, at most; all by default.
    limit: Option<u64>,
}

pub(crate) async fn content(
    ApiRequest { api, query, .. }: ApiRequest<Empty, ContentQuery>,
) -> Result<Response, Error> {
    let key = data_key(&query.path)?;
    let file = open(api.ledger().store(), &key).await?;
    send(file, key.name(), query.offset, query.limit)
}

/// Sends the bytes of a file. A type is told only for files that a browser shows without running anything in them; with
/// `nosniff`, all others are saved or ignored.
pub(super) fn send(
    mut file: File,
    name: &str,
    offset: u64,
    limit: Option<u64>,
) -> Result<Response, Error> {
    let unreadable = |error: io::Error| Error::invalid(format!("{name} cannot be read: {error}"));
    let size = file.metadata().map_err(unreadable)?.len();
    let length = size.saturating_sub(offset).min(limit.unwrap_or(u64::MAX));
    file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
    let headers = [
        (CONTENT_TYPE, media_type(name).to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, attachment(name)),
    ];
    let body = produced(move |to| {
        let sent = io::copy(&mut file.take(length), to)?;
        if sent < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    });
    Ok((headers, body).into_response())
}

fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "bmp" => "image/bmp",
        "svg" => "image/svg+xml",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "flac" => "audio/flac",
        "m4a" => "audio/mp4",
        _ => "application/octet-stream",
    }
}

/// A header that makes browsers save the file under its name.
fn attachment(name: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    format!("attachment; filename*=UTF-8''{encoded}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_breaks_the_header() {
        assert_eq!(
            attachment("a \"b\"\r\nü.txt"),
            "attachment; filename*=UTF-8''a%20%22b%22%0D%0A%C3%BC.txt"
        );
        let kinds = ["x.PNG", "x.html", "x.js", "x"].map(media_type);
        let plain = "application/octet-stream";
        assert_eq!(kinds, ["image/png", plain, plain, plain]);
    }
}
