//! The inputs, out of packages of the distribution.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The inputs of a task.
pub(super) struct Inputs {
    /// Where each input lies, and its name below `in`, sorted by name.
    pub(super) files: Vec<(PathBuf, String)>,
    /// The number of files in the packages, and their names.
    source: String,
}

impl Inputs {
    /// Number and size, for people.
    pub(super) fn summary(&self) -> String {
        let bytes: u64 = self.files.iter().map(|(path, _)| size(path)).sum();
        let (number, source) = (self.files.len(), &self.source);
        format!("{number} of {source}, {} kB", bytes / 1000)
    }
}

/// Drawings, a folder for each subject. Drawings that the converter refuses are left out: the tools differ in what they do after
/// a failure.
pub(super) fn images(number: usize) -> Result<Inputs, String> {
    let mut drawings = spread("/usr/share/openclipart/svg", "svg", number, subject)?;
    drawings.files.retain(|(path, _)| {
        let mut convert = Command::new("rsvg-convert");
        convert.args(["-w", "16"]).arg(path);
        let quiet = convert.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    });
    Ok(drawings)
}

/// Documents with a text layer, all in one folder. The smallest ones: a page takes seconds to recognise.
pub(super) fn pages(number: usize) -> Result<Inputs, String> {
    let flat = |name: &str| Some(name.replace('/', "-"));
    let mut all = spread("/usr/share/doc/texlive-doc", "pdf", usize::MAX, flat)?;
    all.files.sort_by_cached_key(|(path, _)| size(path));
    all.files.truncate(number);
    all.files.sort_by(|left, right| left.1.cmp(&right.1));
    Ok(all)
}

/// Packed texts, a folder for each subject.
pub(super) fn documents(number: usize) -> Result<Inputs, String> {
    spread("/usr/share/doc/linux-doc-6.1", "gz", number, subject)
}

/// A name with one folder: the outermost one, or none for a file outside of any.
fn subject(name: &str) -> Option<String> {
    let (folder, rest) = name.split_once('/')?;
    Some(format!("{folder}/{}", rest.replace('/', "-")))
}

/// `number` files with this extension below `root`, spread evenly over all of them; `rename` gives each its name below `in`.
fn spread(
    root: &str,
    extension: &str,
    number: usize,
    rename: fn(&str) -> Option<String>,
) -> Result<Inputs, String> {
    let root = Path::new(root);
    let mut found = Vec::new();
    walk(root, extension, &mut found);
    let mut files: Vec<(PathBuf, String)> = found
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(root).ok()?.to_str()?.to_owned();
            let name = rename(&name)?;
            // Shell scripts as people write them do not quote every name.
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            name.chars().all(plain).then_some((path, name))
        })
        .collect();
    files.sort_by(|left, right| left.1.cmp(&right.1));
    files.dedup_by(|left, right| left.1 == right.1);
    let all = files.len();
    if all == 0 {
        return Err(format!("no *.{extension} below {}", root.display()));
    }
    let step = all.div_ceil(number.min(all));
    let files: Vec<_> = files.into_iter().step_by(step).collect();
    let source = format!("{all} *.{extension} below {}", root.display());
    Ok(Inputs { files, source })
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

fn walk(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Links to directories are not entered; links to files stand for their content.
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, extension, found);
        } else if path.extension().is_some_and(|end| end == extension) && path.is_file() {
            found.push(path);
        }
    }
}
