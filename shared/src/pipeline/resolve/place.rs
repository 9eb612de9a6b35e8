//! Places of files outside the store: buckets and folders.

use std::path::Path as FilePath;

use super::non_empty;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::spec;
use crate::store::{Location, StoreError};

/// Where the output is copied to.
pub(super) fn egress(
    spec: Option<&spec::Egress>,
    report: &mut FindingCollector<'_>,
) -> Option<String> {
    let spec = spec?;
    let path = Path::root().field("egress");
    let newer = spec
        .object_storage
        .as_ref()
        .and_then(|storage| non_empty(storage.url.as_ref()));
    let (url, path) = match (non_empty(spec.url.as_ref()), newer) {
        (Some(_), Some(_)) => {
            let message = "`URL` and `object_storage` name a place each";
            report.error(&path, message, "keep one of them");
            return None;
        }
        (Some(url), None) => (url, path.field("URL")),
        (None, Some(url)) => (url, path.field("object_storage").field("url")),
        (None, None) => {
            if !report.has_error_within(&path) {
                report.missing(
                    &path.field("URL"),
                    "say where to, for example `s3://bucket/prefix`",
                );
            }
            return None;
        }
    };
    check(&url, &path, report);
    Some(url)
}

/// Refuses locations that are neither a folder nor a bucket; credentials are not repeated.
pub(super) fn check(text: &str, path: &Path, report: &mut FindingCollector<'_>) {
    match Location::parse(text, FilePath::new("/")) {
        Ok(_) => {}
        Err(StoreError::Location { location, problem }) => {
            report.error(path, format!("{location} is no place for files"), problem);
        }
        Err(error) => report.error(path, error.to_string(), "write a folder or a bucket"),
    }
}
