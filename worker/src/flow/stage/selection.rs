//! Selects the files of a directory input that `exclude` does not match.

use drover_shared::datum::{Cause, DatumInput};
use drover_shared::glob::Glob;
use drover_shared::store::Entry;

use super::input::{key, unreadable};
use crate::flow_error::{FlowError, chain};
use crate::jobs::InputLeaf;

/// The files of a directory input that are not excluded, with paths relative to the directory. Blocking.
pub(super) fn files(input: &DatumInput, leaf: &InputLeaf) -> Result<Vec<Entry>, FlowError> {
    let directory = input.path.trim_end_matches('/');
    let walk = leaf.store.walk(&key(input, leaf)?).map_err(unreadable)?;
    let mut files = Vec::new();
    for entry in walk {
        let entry = entry.map_err(unreadable)?;
        if !excluded(&leaf.exclude, directory, &entry.path)? {
            files.push(entry);
        }
    }
    Ok(files)
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
            message: chain(&error),
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
