//! Selects the files of a directory input that `exclude` does not match.

use drover_shared::causes::with_causes;
use drover_shared::datum::{Cause, DatumInput};
use drover_shared::glob::Glob;
use drover_shared::store::{Entry, StoreError};

use super::input::{key, unreadable};
use crate::flow_error::FlowError;
use crate::jobs::InputLeaf;

/// The files of a directory input that are not excluded, with paths relative to the directory. Blocking.
pub(super) fn files(input: &DatumInput, leaf: &InputLeaf) -> Result<Vec<Entry>, FlowError> {
    let directory = input.path.trim_end_matches('/');
    let root = key(input, leaf)?;
    let (exclude, above) = (leaf.exclude.clone(), directory.to_owned());
    // An error of a glob is reported below, for the files of the directory.
    let is_included = move |below: &str| !excluded(&exclude, &above, below).unwrap_or(false);
    let walk = leaf.store.walk(&root).map_err(unreadable)?;
    let mut files = Vec::new();
    for entry in walk.pruned(is_included) {
        match entry {
            Ok(entry) if excluded(&leaf.exclude, directory, &entry.path)? => {}
            Err(StoreError::Irregular { ref path, .. })
                if excluded(&leaf.exclude, directory, &below(root.as_str(), path))? => {}
            entry => files.push(entry.map_err(unreadable)?),
        }
    }
    Ok(files)
}

/// The path of an irregular entry relative to the walked folder, beginning with `/`.
fn below(root: &str, path: &str) -> String {
    let below = path.strip_prefix(root).unwrap_or(path);
    format!("/{}", below.trim_start_matches('/'))
}

/// True if a glob matches the file `below` the directory, or one of its parents inside the directory.
fn excluded(exclude: &[Glob], directory: &str, below: &str) -> Result<bool, FlowError> {
    let path = format!("{directory}{below}");
    let ends = path.match_indices('/').map(|(slash, _)| slash);
    let ends = ends.skip(1).chain([path.len()]);
    for end in ends.filter(|end| *end > directory.len()) {
        for glob in exclude {
            if matches(glob, &path[..end])? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn matches(glob: &Glob, path: &str) -> Result<bool, FlowError> {
    glob.matches(path).map_err(|error| {
        FlowError::Datum(Cause::Input {
            message: with_causes(&error),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_leaves_out_a_file_or_all_below_a_directory() {
        let rows = [
            ("/d/*.tmp", "/d", "/a.tmp", true),
            ("/d/*.tmp", "/d", "/a.txt", false),
            ("/d/*.tmp", "/d", "/b/a.tmp", false),
            ("/d/skip", "/d", "/skip/x/y", true),
            ("/d/skip", "/d", "/skipped", false),
            ("/**.tmp", "/d", "/b/a.tmp", true),
            ("/skip", "", "/skip/x", true),
            // The directory itself is the input, so a match of the directory does not count.
            ("/d", "/d", "/a", false),
        ];
        for (glob, directory, below, expected) in rows {
            let found = excluded(&[glob.parse().unwrap()], directory, below).unwrap();
            assert_eq!(found, expected, "{glob} on {directory}{below}");
        }
    }
}
