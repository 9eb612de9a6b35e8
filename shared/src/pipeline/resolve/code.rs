//! Files that are part of the identity of the work.

use super::leaf::bad_glob;
use crate::glob::Glob;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;

/// Checks paths and globs of code; returns none if a path is refused.
pub(super) fn code(texts: &[String], report: &mut FindingCollector<'_>) -> Option<Vec<String>> {
    let path = Path::root().field("code");
    let mut fits = true;
    for (index, text) in texts.iter().enumerate() {
        let path = path.index(index);
        if text.is_empty() {
            let advice = "name a file, a directory or a glob, or delete the line";
            report.error(&path, "is empty", advice);
            fits = false;
        } else if text.contains('\0') {
            report.error(&path, "holds a NUL character", "delete the character");
            fits = false;
        } else if let Err(error) = text.parse::<Glob>() {
            bad_glob(&path, &error, report);
            fits = false;
        }
    }
    fits.then(|| texts.to_vec())
}
