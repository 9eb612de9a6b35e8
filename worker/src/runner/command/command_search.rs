//! Search for the executable of a command, and explanations for failed starts.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// Default for an environment without `PATH`.
pub(crate) const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Some editors put it before the first line of a text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

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
            let is_there = |file: &Path| !name.is_empty() && self.as_seen(file).is_file();
            match candidates().find(|candidate| is_there(candidate)) {
                Some(file) => format!("command {name:?} is not executable: {}; run `chmod +x` on it", file.display()),
                None if is_there(Path::new(name)) => format!(
                    "command {name:?} was not found in PATH; write ./{name} for the file in the working directory"
                ),
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
            Some(Errno::ENOENT) => format!("command {shown} {}", no_interpreter(&file)),
            Some(Errno::EACCES) if file.is_dir() => format!("command {shown} is a directory"),
            Some(Errno::EACCES) => {
                format!("command {shown} is not executable for this user; run `chmod +x` on it")
            }
            Some(Errno::ENOEXEC) => format!("command {shown} {}", no_program(&file)),
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

/// Why a script with a first line such as `#!/bin/sh` cannot run: its interpreter was not found.
fn no_interpreter(script: &Path) -> String {
    let first = first_line(script).unwrap_or_default();
    if first.ends_with(b"\r\n") {
        let file = script.display();
        return format!(
            "cannot run: its lines end with carriage returns, as on Windows, so the name of its interpreter has one too; \
             run `sed -i 's/\\r$//' {file}`"
        );
    }
    let named = first.strip_prefix(b"#!").map(String::from_utf8_lossy);
    let named = named.map(|named| format!(" {:?}", named.trim()));
    format!(
        "cannot run: its interpreter{} does not exist",
        named.unwrap_or_default()
    )
}

/// Why a file is no program.
fn no_program(file: &Path) -> String {
    let first = first_line(file).unwrap_or_default();
    if first.is_empty() {
        return "is an empty file".to_owned();
    }
    if first.starts_with(BYTE_ORDER_MARK) {
        let file = file.display();
        return format!(
            "begins with a byte order mark instead of `#!`; run `sed -i '1s/^\\xEF\\xBB\\xBF//' {file}`"
        );
    }
    "is no program for this machine: a script must begin with a line like `#!/bin/sh`".to_owned()
}

fn first_line(file: &Path) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let file = File::open(file).ok()?;
    BufReader::new(file.take(256))
        .read_until(b'\n', &mut line)
        .ok()?;
    Some(line)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// Tells why a file with the content cannot be executed.
    fn told(content: &[u8]) -> String {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("script");
        fs::write(&file, content).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let error = std::process::Command::new(&file).spawn().unwrap_err();
        let search = CommandSearch {
            path: None,
            directory: None,
        };
        search.explain(&file, &error)
    }

    #[test]
    fn a_script_that_no_system_can_execute_is_told_what_is_wrong_with_its_first_line() {
        let rows: [(&[u8], &str); 5] = [
            (b"#!/bin/sh\r\necho hi\r\n", "carriage returns"),
            (b"#!/opt/python9\n", "\"/opt/python9\" does not exist"),
            (b"\xEF\xBB\xBF#!/bin/sh\necho hi\n", "byte order mark"),
            (b"", "empty file"),
            (b"echo hi\n", "a line like `#!/bin/sh`"),
        ];
        for (content, expected) in rows {
            let told = told(content);
            assert!(told.contains(expected), "{told}");
        }
    }

    #[test]
    fn a_file_of_the_working_directory_is_no_command_without_its_directory() {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("resize.sh"), "#!/bin/sh\n").unwrap();
        let search = CommandSearch {
            path: None,
            directory: Some(directory.path()),
        };
        let told = search.find("resize.sh").unwrap_err();
        assert!(told.contains("write ./resize.sh"), "{told}");
    }
}
