//! Search for the executable of a command, and explanations for failed starts.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Default for an environment without `PATH`.
pub(crate) const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a command is searched.
pub(super) struct CommandSearch<'a> {
    /// `PATH` of the command's environment.
    pub(super) path: Option<&'a str>,
    /// Working directory of the command, unless the runner's own.
    pub(super) directory: Option<&'a Path>,
}

impl CommandSearch<'_> {
    /// The file to execute for `name`: the name itself if it contains a slash, else the first executable in `PATH`.
    pub(super) fn find(&self, name: &str) -> Result<PathBuf, String> {
        if name.contains('/') {
            return Ok(PathBuf::from(name));
        }
        let path = self.path.unwrap_or(USUAL_PATH);
        let candidates = || path.split(':').map(|entry| Path::new(entry).join(name));
        let found = candidates()
            .find(|candidate| !name.is_empty() && is_executable(&self.as_seen(candidate)));
        found.map(|file| if file.is_absolute() { file } else { Path::new(".").join(file) }).ok_or_else(|| {
            match candidates().find(|candidate| !name.is_empty() && self.as_seen(candidate).is_file()) {
                Some(file) => format!("command {name:?} is not executable: {}; run `chmod +x` on it", file.display()),
                None => format!("command {name:?} was not found; give its full path, or set PATH in `transform.env`, which is {path}"),
            }
        })
    }

    /// The message for a failed execution of `program`.
    pub(super) fn explain(&self, program: &Path, error: &io::Error) -> String {
        let shown = program.display();
        if let Some(directory) = self.directory.filter(|directory| !directory.is_dir()) {
            return format!(
                "working directory {} does not exist; correct `transform.working_dir`",
                directory.display()
            );
        }
        let file = self.as_seen(program);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) if !file.exists() => format!("command {shown} does not exist"),
            Some(Errno::ENOENT) => format!(
                "command {shown} cannot run: its interpreter{} does not exist",
                interpreter(&file)
            ),
            Some(Errno::EACCES) if file.is_dir() => format!("command {shown} is a directory"),
            Some(Errno::EACCES) => {
                format!("command {shown} is not executable for this user; run `chmod +x` on it")
            }
            Some(Errno::ENOEXEC) => {
                format!(
                    "command {shown} is no program for this machine: a script must begin with a line like `#!/bin/sh`"
                )
            }
            Some(Errno::ENOTDIR) => {
                format!("command {shown} does not exist: part of its path is a file")
            }
            Some(Errno::E2BIG) => format!(
                "command {shown} got more arguments and environment than the system takes; pass them in a file or on stdin"
            ),
            Some(Errno::ETXTBSY) => {
                format!("command {shown} is open for writing; run it when it is finished")
            }
            Some(Errno::EPERM) => format!("command {shown} cannot run as this user: {error}"),
            _ => format!("command {shown} cannot be started: {error}"),
        }
    }

    fn as_seen(&self, file: &Path) -> PathBuf {
        self.directory
            .map_or_else(|| file.to_owned(), |directory| directory.join(file))
    }
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The interpreter of a script, for a message.
fn interpreter(script: &Path) -> String {
    let first = first_line(script);
    let named = first
        .as_deref()
        .and_then(|line| line.strip_prefix(b"#!"))
        .map(|rest| String::from_utf8_lossy(rest).trim().to_owned());
    named.map(|named| format!(" {named:?}")).unwrap_or_default()
}

fn first_line(file: &Path) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let file = File::open(file).ok()?;
    BufReader::new(file.take(256))
        .read_until(b'\n', &mut line)
        .ok()?;
    Some(line)
}
