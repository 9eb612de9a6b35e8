//! Code that words of a command name.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use drover_shared::pipeline::Pipeline;
use drover_shared::store::layout;

use super::files::entry_files;
use super::shell::Lookup;
use super::words::{Candidate, candidates};

/// Directories of the system: their content changes with the system, not with the user's code.
const SYSTEM: [&str; 16] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc", "/opt", "/dev", "/proc", "/sys",
    "/run", "/boot", "/nix", "/snap", "/pfs",
];

/// Files that make a directory a program, as in `python3 app` and `node app`.
const ENTRY_FILES: [&str; 3] = ["__main__.py", "index.js", "package.json"];

/// Finds the files that the words of a command name.
pub(super) struct NamedCode<'a> {
    pipeline: &'a Pipeline,
    /// Where relative paths begin.
    base: &'a Path,
    /// Directories that are no code: the output of the pipeline, and Drover's own.
    output: Vec<PathBuf>,
    lookup: &'a Lookup<'a>,
}

impl<'a> NamedCode<'a> {
    pub(super) fn new(
        pipeline: &'a Pipeline,
        base: &'a Path,
        store: Option<&Path>,
        lookup: &'a Lookup<'a>,
    ) -> Self {
        let store = store.and_then(|store| store.canonicalize().ok());
        let output = store.into_iter().flat_map(|store| {
            [pipeline.name.as_str(), layout::DROVER_FOLDER].map(|folder| store.join(folder))
        });
        Self {
            pipeline,
            base,
            output: output.collect(),
            lookup,
        }
    }

    /// Files with their names, in the order of the words.
    pub(super) fn files(&self) -> Vec<(String, PathBuf)> {
        let candidates = candidates(&self.pipeline.transform, self.lookup).into_iter();
        let files = candidates.flat_map(|candidate| match candidate {
            Candidate::Path(path) => self.path(path),
            Candidate::Program(name) => self.program(name),
            Candidate::Module(name) => self.module(&name),
        });
        files.collect()
    }

    /// A file, or all files of a directory that is a program.
    fn path(&self, word: String) -> Vec<(String, PathBuf)> {
        let path = self.base.join(&word);
        if !self.is_users(&path) {
            return Vec::new();
        }
        if path.is_file() {
            return vec![(word, path)];
        }
        if ENTRY_FILES.iter().any(|entry| path.join(entry).is_file()) {
            return entry_files(&word, self.base).unwrap_or_default();
        }
        Vec::new()
    }

    /// A program of the user on the `PATH`.
    fn program(&self, name: String) -> Vec<(String, PathBuf)> {
        if name.contains('/') {
            return Vec::new();
        }
        let own = self.pipeline.transform.env.get("PATH").cloned();
        let path = own.or_else(|| (self.lookup)("PATH")).unwrap_or_default();
        let mut programs = std::env::split_paths(&path).map(|directory| directory.join(&name));
        match programs.find(|program| is_executable(program)) {
            Some(program) if self.is_users(&program) => vec![(name, program)],
            _ => Vec::new(),
        }
    }

    /// All Python files of the package of a dotted name.
    fn module(&self, name: &str) -> Vec<(String, PathBuf)> {
        let package = name.split('.').next().unwrap_or(name);
        if package.is_empty() || package.contains('/') {
            return Vec::new();
        }
        let own = self.pipeline.transform.env.get("PYTHONPATH").cloned();
        let path = own.or_else(|| (self.lookup)("PYTHONPATH"));
        let more = path.map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
        let more = more
            .into_iter()
            .flatten()
            .filter(|path| !path.as_os_str().is_empty());
        for place in std::iter::once(PathBuf::new()).chain(more) {
            let file = place.join(format!("{package}.py"));
            let files = place.join(package).join("**.py");
            for entry in [files, file] {
                let Some(entry) = entry.to_str() else {
                    continue;
                };
                let mut found = entry_files(entry, self.base).unwrap_or_default();
                found.retain(|(_, path)| self.is_users(path));
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
    }

    /// True outside system directories and outside the pipeline's own output.
    fn is_users(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else {
            return false;
        };
        let is_system = SYSTEM.iter().any(|system| path.starts_with(system));
        !is_system && !self.output.iter().any(|output| path.starts_with(output))
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
