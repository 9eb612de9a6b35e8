//! The code files of a job are looked at after each command: an attempt counts only if they stayed as they were when the
//! ids of the datums were computed.
//!
//! A file that is not on the worker's machine is not watched: there, the image holds the code.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use drover_shared::datum::{CodeFile, content_hash};
use drover_shared::store::FileAttributes;

/// The code files of a job on the local machine.
#[derive(Debug, Default)]
pub(crate) struct CodeWatch {
    files: Vec<CodeFile>,
    seen: Mutex<SeenCode>,
}

/// The result of the last look.
#[derive(Debug, Default)]
struct SeenCode {
    states: Vec<Option<FileAttributes>>,
    /// Number of looks that found files touched.
    generation: u64,
}

/// A moment before an attempt, for the look after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodeMoment(u64);

/// The result of a look.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum CodeCheck {
    /// Nothing changed.
    Unchanged,
    /// The named file changed and has its old content again. The attempt may have seen other content.
    Touched(String),
    /// The named file changed after the ids were made from its content.
    Changed(String),
}

impl CodeWatch {
    /// Watches all `files` on the local machine. Blocking.
    pub(crate) fn begin(files: Vec<CodeFile>) -> Self {
        let mut files = files;
        files.retain(|file| file.path.is_file());
        // The first look hashes every file.
        let seen = SeenCode {
            states: vec![None; files.len()],
            generation: 0,
        };
        let watch = Self {
            files,
            seen: Mutex::new(seen),
        };
        watch.check(CodeMoment(0));
        watch.seen().generation = 0;
        watch
    }

    /// True if there is nothing to look at.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The moment before an attempt.
    pub(crate) fn moment(&self) -> CodeMoment {
        CodeMoment(self.seen().generation)
    }

    /// Looks at the files again, after an attempt that began at `begun`. Reads files that look different; blocking.
    pub(crate) fn check(&self, begun: CodeMoment) -> CodeCheck {
        let mut seen = self.seen();
        let mut touched = None;
        for (file, state) in self.files.iter().zip(&mut seen.states) {
            let Ok(now) = state_of(&file.path) else {
                return CodeCheck::Changed(file.name.clone());
            };
            if *state == Some(now) {
                continue;
            }
            if !has_content(file) {
                *state = None;
                return CodeCheck::Changed(file.name.clone());
            }
            *state = Some(now);
            touched = Some(file.name.clone());
        }
        if touched.is_some() {
            seen.generation += 1;
        }
        match (touched, self.files.first()) {
            (Some(name), _) => CodeCheck::Touched(name),
            // Another datum's look found it.
            (None, Some(first)) if seen.generation != begun.0 => {
                CodeCheck::Touched(first.name.clone())
            }
            (None, _) => CodeCheck::Unchanged,
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, SeenCode> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn state_of(path: &Path) -> io::Result<FileAttributes> {
    Ok(FileAttributes::of(&path.metadata()?))
}

fn has_content(file: &CodeFile) -> bool {
    let hash = File::open(&file.path).and_then(content_hash);
    hash.is_ok_and(|hash| hash == file.tag.as_str())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use drover_shared::datum::ContentTag;

    use super::*;

    fn code(folder: &Path, name: &str, content: &str) -> CodeFile {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        CodeFile {
            name: name.to_owned(),
            tag: ContentTag::new(content_hash(content.as_bytes()).unwrap()),
            path,
        }
    }

    #[test]
    fn an_edit_voids_the_attempts_that_it_may_have_met() {
        let folder = tempfile::tempdir().unwrap();
        let script = code(folder.path(), "s.sh", "echo 1");
        let mut elsewhere = script.clone();
        elsewhere.path = folder.path().join("missing");
        let watch = CodeWatch::begin(vec![script.clone(), elsewhere]);
        let (early, other) = (watch.moment(), watch.moment());
        assert_eq!(watch.check(early), CodeCheck::Unchanged);
        fs::write(&script.path, "echo 2").unwrap();
        fs::write(&script.path, "echo 1").unwrap();
        let touched = || CodeCheck::Touched("s.sh".to_owned());
        assert_eq!(watch.check(early), touched());
        assert_eq!(watch.check(other), touched(), "it ran at the same time");
        assert_eq!(watch.check(watch.moment()), CodeCheck::Unchanged);
        fs::write(&script.path, "echo 2").unwrap();
        let changed = CodeCheck::Changed("s.sh".to_owned());
        assert_eq!(watch.check(watch.moment()), changed);
        assert_eq!(watch.check(watch.moment()), changed);
    }

    #[test]
    fn code_that_changed_before_the_worker_met_the_job_voids_every_attempt() {
        let folder = tempfile::tempdir().unwrap();
        let script = code(folder.path(), "s.sh", "echo 1");
        fs::write(&script.path, "echo 2").unwrap();
        let watch = CodeWatch::begin(vec![script]);
        let changed = CodeCheck::Changed("s.sh".to_owned());
        assert_eq!(watch.check(watch.moment()), changed);
    }
}
