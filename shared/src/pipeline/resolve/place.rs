//! Places of files outside the store: buckets and folders.

use url::Url;

use crate::pipeline::document::Path;
use crate::pipeline::report::Report;
use crate::pipeline::spec;

/// Schemes of buckets.
const BUCKETS: [&str; 9] = [
    "s3", "s3a", "gs", "az", "adl", "azure", "abfs", "abfss", "file",
];

/// Where the output is copied to.
pub(super) fn egress(spec: Option<&spec::Egress>, report: &mut Report<'_>) -> Option<String> {
    let spec = spec?;
    let path = Path::root().field("egress");
    let newer = spec
        .object_storage
        .as_ref()
        .and_then(|storage| storage.url.as_ref());
    let (url, path) = match (&spec.url, newer) {
        (Some(_), Some(_)) => {
            report.error(
                &path,
                "`URL` and `object_storage` name a place each",
                "keep one of them",
            );
            return None;
        }
        (Some(url), None) => (url, path.field("URL")),
        (None, Some(url)) => (url, path.field("object_storage").field("url")),
        (None, None) => {
            report.missing(
                &path.field("URL"),
                "say where to, for example `s3://bucket/prefix`",
            );
            return None;
        }
    };
    bucket(url, &path, report);
    Some(url.clone())
}

/// Checks the URL of a bucket or folder. Never repeats it: it may hold a password.
pub(super) fn bucket(text: &str, path: &Path, report: &mut Report<'_>) {
    let example =
        "write for example `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`";
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return report.error(path, format!("not a URL: {error}"), example),
    };
    if !BUCKETS.contains(&url.scheme()) {
        let message = format!("there is no store for `{}:`", url.scheme());
        report.error(path, message, example);
    }
    if !url.username().is_empty() && !matches!(url.scheme(), "abfs" | "abfss")
        || url.password().is_some()
    {
        let advice = "credentials come from the environment, or from a secret";
        report.error(path, "a URL must not hold credentials", advice);
    }
    if url.scheme() != "file" && url.host_str().is_none_or(str::is_empty) {
        report.error(path, "the URL names no bucket", example);
    }
}
