use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::Identity;
use super::command_search::CommandSearch;
use crate::runner::order::Order;
use crate::runner::start_error::StartError;

/// Starts the command in a process group of its own, with pipes for stdout and stderr.
///
/// The code avoids `pre_exec` and the `PATH` lookup of the standard library: either would make the library fork
/// instead of `posix_spawn`.
pub(super) fn launch(
    order: &Order,
    reach: impl Fn(&Path) -> PathBuf,
    identity: Option<Identity>,
) -> Result<Child, StartError> {
    let name = order
        .argv
        .first()
        .ok_or_else(|| StartError::Order("there is no command; give `transform.cmd`".to_owned()))?;
    let path = order.env.get("PATH").or_else(|| order.base.get("PATH"));
    let search = CommandSearch {
        path: path.map(String::as_str),
        directory: order.working_dir.as_deref(),
    };
    let program = search.find(name).map_err(StartError::Order)?;
    let mut command = Command::new(&program);
    command
        .arg0(name)
        .args(&order.argv[1..])
        .env_clear()
        .envs(&*order.base)
        .envs(&order.env)
        .process_group(0);
    command
        .stdin(open_stdin(order.stdin.as_deref(), reach)?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(directory) = &order.working_dir {
        command.current_dir(directory);
    }
    if let Some(identity) = identity {
        command.uid(identity.user).gid(identity.group);
    }
    command
        .spawn()
        .map_err(|error| StartError::of(&error, search.explain(&program, &error)))
}

fn open_stdin(file: Option<&Path>, reach: impl Fn(&Path) -> PathBuf) -> Result<Stdio, StartError> {
    let Some(file) = file else {
        return Ok(Stdio::null());
    };
    let opened = File::open(reach(file)).map(Stdio::from);
    // The worker wrote the file, so a failure is the slot's fault.
    opened.map_err(|error| {
        StartError::Slot(format!(
            "standard input {} cannot be read: {error}",
            file.display()
        ))
    })
}
