//! Where a store is: a folder or the URL of a bucket.

use std::fmt;
use std::path::{Path, PathBuf, absolute};

use url::Url;

use super::StoreError;

/// The schemes of buckets, as `object_store` names them.
const BUCKET_SCHEMES: [&str; 8] = ["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"];

/// A folder, or the URL of a bucket (`s3://`, `gs://`, `az://`).
///
/// Never contains credentials; they come from the environment (`AWS_*`, `GOOGLE_*`, `AZURE_*`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Location {
    /// A folder of the local machine, absolute.
    Folder(PathBuf),
    /// A bucket with an optional prefix.
    Bucket(Url),
    /// Memory, for tests: each opened store is separate.
    Memory,
}

impl Location {
    /// Parses a path (relative to `base`), `file://…` or the URL of a bucket.
    pub fn parse(text: &str, base: &Path) -> Result<Self, StoreError> {
        match text.split_once(':') {
            Some(("memory", "")) => Ok(Self::Memory),
            Some((scheme, rest)) if rest.starts_with("//") && is_scheme(scheme) => parse_url(text),
            _ if text.is_empty() => Err(refusal("\"\"", "give a folder or the URL of a bucket")),
            _ => Self::folder(&base.join(text)),
        }
    }

    /// The folder at `path`, which is made absolute.
    pub fn folder(path: &Path) -> Result<Self, StoreError> {
        absolute(path)
            .map(Self::Folder)
            .map_err(|error| refusal(path.display(), error))
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || "+-.".contains(each))
}

fn parse_url(text: &str) -> Result<Location, StoreError> {
    let url = Url::parse(text).map_err(|error| refusal(without_secrets(text), error))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(refusal(
            without_secrets(text),
            "credentials and options do not belong in the URL; set them in the environment (AWS_*, GOOGLE_*, AZURE_*)",
        ));
    }
    match url.scheme() {
        "file" => match url.to_file_path() {
            Ok(path) => Location::folder(&path),
            Err(()) => Err(refusal(url, "a file URL has no host: file:///folder")),
        },
        scheme if BUCKET_SCHEMES.contains(&scheme) => match url.host_str() {
            Some(_) => Ok(Location::Bucket(url)),
            None => Err(refusal(&url, "name the bucket: s3://bucket/prefix")),
        },
        scheme => Err(refusal(
            &url,
            format!("{scheme}:// is not a store; use a folder, s3://, gs:// or az://"),
        )),
    }
}

/// The text of a URL up to where credentials may begin, for messages.
fn without_secrets(text: &str) -> String {
    let scheme = text.split("://").next().unwrap_or_default();
    let rest = text.rsplit('@').next().unwrap_or_default();
    let rest = rest.split_once("://").map_or(rest, |(_, rest)| rest);
    format!(
        "{scheme}://{}",
        rest.split(['?', '#']).next().unwrap_or_default()
    )
}

fn refusal(location: impl fmt::Display, problem: impl fmt::Display) -> StoreError {
    StoreError::Location {
        location: location.to_string(),
        problem: problem.to_string(),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(out, "{}", path.display()),
            Self::Bucket(url) => write!(out, "{url}"),
            Self::Memory => out.write_str("memory:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_understood_as_people_write_it() {
        let rows = [
            ("data", "/base/data"),
            ("/data", "/data"),
            (".", "/base/"),
            ("file:///data", "/data"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/some/prefix", "s3://bucket/some/prefix"),
            ("gs://bucket/a", "gs://bucket/a"),
            ("az://container/a", "az://container/a"),
            ("odd:name", "/base/odd:name"),
        ];
        for (text, shown) in rows {
            let location = Location::parse(text, Path::new("/base")).unwrap();
            assert_eq!(Path::new(&location.to_string()), Path::new(shown), "{text}");
        }
    }

    #[test]
    fn a_place_that_is_no_store_is_refused_without_telling_credentials() {
        for text in [
            "",
            "http://host/x",
            "file://host/x",
            "s3://",
            "s3://key:hunter2@bucket/x",
            "az://container/x?sig=hunter2",
            "s3://key:hunter2@bu cket/x",
        ] {
            let error = Location::parse(text, Path::new("/base"))
                .unwrap_err()
                .to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
