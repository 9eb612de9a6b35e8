//! Subcommands for containers. The images that the binary is put into need not have a shell, `cp` or `curl`.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use drover_shared::process::{ProbeError, probe_ready};

use crate::process::args;

/// The file name of an installed worker if the target is a directory.
const NAME: &str = "drover-worker";

/// The subcommands.
#[derive(Debug, Parser)]
#[command(name = NAME)]
enum WorkerSubcommand {
    /// Copy this binary, for example in an init container, for use by another image
    Install {
        /// The target file, or a directory
        path: PathBuf,
    },
    /// Ask a worker whether it is ready, as a health check
    Probe {
        /// The address that the worker was given as `--listen`
        #[arg(env = "DROVER_LISTEN", default_value = "127.0.0.1:9090")]
        address: SocketAddr,
    },
}

/// The error of a subcommand.
#[derive(Debug, thiserror::Error)]
enum SubcommandError {
    #[error("cannot install the worker as {}: {source}", path.display())]
    Install { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Probe(#[from] ProbeError),
}

/// Runs the subcommand, if the command line has one. The command line of a worker begins with a flag.
pub fn take_over() -> Option<ExitCode> {
    let first = std::env::args_os().nth(1)?;
    if first != "install" && first != "probe" {
        return None;
    }
    let subcommand = match WorkerSubcommand::try_parse() {
        Ok(subcommand) => subcommand,
        Err(refusal) => return Some(args::refuse(&refusal).into()),
    };
    Some(match subcommand.carry_out() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    })
}

impl WorkerSubcommand {
    fn carry_out(self) -> Result<(), SubcommandError> {
        match self {
            Self::Install { path } => install(Path::new("/proc/self/exe"), &path)
                .map_err(|source| SubcommandError::Install { path, source }),
            Self::Probe { address } => Ok(probe_ready(address)?),
        }
    }
}

/// Copies `binary` to `target` atomically.
fn install(binary: &Path, target: &Path) -> io::Result<()> {
    let target = if target.is_dir() {
        target.join(NAME)
    } else {
        target.to_owned()
    };
    let name = target.file_name().unwrap_or(OsStr::new(NAME));
    let part = target.with_file_name(format!(".{}.part", name.display()));
    // `copy` keeps the mode.
    fs::copy(binary, &part)?;
    fs::rename(part, target)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        WorkerSubcommand::command().debug_assert();
    }

    #[test]
    fn an_installed_binary_is_whole_executable_and_replaces_an_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let (binary, target) = (folder.path().join("binary"), folder.path().join("there"));
        fs::write(&binary, "new").unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&target, "old").unwrap();
        install(&binary, &target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(
            target.metadata().unwrap().permissions().mode() & 0o777,
            0o755
        );
        // No temporary file is left.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn in_a_directory_the_binary_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("binary");
        fs::write(&binary, "new").unwrap();
        install(&binary, folder.path()).unwrap();
        assert!(folder.path().join(NAME).is_file());
        assert!(install(&binary, &folder.path().join("missing/there")).is_err());
    }
}
