use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::command_search::CommandSearch;
use super::process::CommandProcess;
use crate::runner::identity::Identity;
use crate::runner::order::{Inputs, Order};
use crate::runner::spawner::{CommandSpec, Spawner};
use crate::runner::start_error::StartError;

/// Has the spawner start the command in a process group of its own, with pipes for stdout and stderr.
pub(super) fn launch(
    order: &Order,
    spawner: &Rc<Spawner>,
    reach: impl Fn(&Path) -> PathBuf,
    identity: Option<Identity>,
) -> Result<io::Result<CommandProcess>, StartError> {
    let name = order
        .argv
        .first()
        .ok_or_else(|| StartError::Order("there is no command; give `transform.cmd`".to_owned()))?;
    let path = order.env.get("PATH").or_else(|| order.base.get("PATH"));
    let search = CommandSearch {
        path: path.map(String::as_str),
        directory: order.working_dir.as_deref(),
    };
    let stdin = open_stdin(order.stdin.as_deref(), reach)?;
    let program = search.find(name).map_err(StartError::Order)?;
    let command = CommandSpec {
        program: program.clone(),
        argv: Cow::Borrowed(&order.argv),
        base: Cow::Borrowed(&order.base),
        env: Cow::Borrowed(&order.env),
        working_dir: order.working_dir.clone(),
        identity: identity.map(|identity| (identity.user, identity.group)),
        fresh: matches!(order.inputs, Inputs::Fresh(_)),
    };
    let pipes = io::pipe().and_then(|stdout| Ok((stdout, io::pipe()?)));
    let ((stdout, to_stdout), (stderr, to_stderr)) =
        pipes.map_err(|error| StartError::Slot(format!("pipes cannot be made: {error}")))?;
    let mut descriptors = vec![to_stdout.as_fd(), to_stderr.as_fd()];
    descriptors.extend(stdin.as_ref().map(AsFd::as_fd));
    spawner
        .spawn(command, &descriptors)
        .map_err(|error| StartError::Slot(format!("the spawner cannot be reached: {error}")))?
        .map_err(|error| StartError::of(&error, search.explain(&program, &error)))?;
    Ok(CommandProcess::of(Rc::clone(spawner), stdout, stderr))
}

fn open_stdin(
    file: Option<&Path>,
    reach: impl Fn(&Path) -> PathBuf,
) -> Result<Option<File>, StartError> {
    let Some(file) = file else {
        return Ok(None);
    };
    let opened = File::open(reach(file)).map(Some);
    // The worker wrote the file, so a failure is the slot's fault.
    opened.map_err(|error| {
        StartError::Slot(format!(
            "standard input {} cannot be read: {error}",
            file.display()
        ))
    })
}
