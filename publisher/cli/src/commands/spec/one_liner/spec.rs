//! The spec of a one-liner.

use drover_shared::id::PipelineName;
use serde_json::{Value, json};

use super::command::{argv, placeholders, shares_stdout};
use super::context::OneLinerContext;
use super::error::OneLinerError;
use super::input::{GlobInput, check_glob, first_repeated, tree};
use crate::args::OneLiner;
use crate::commands::spec::shell::Script;

/// Converts a one-liner to a spec; `files` are the paths of `--files-from`.
pub(crate) fn spec(
    typed: &OneLiner,
    files: &[String],
    context: OneLinerContext<'_>,
) -> Result<Value, OneLinerError> {
    let out: PipelineName = typed
        .out
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(OneLinerError::Out)?;
    check_command(&typed.command)?;
    typed.glob.iter().try_for_each(|glob| check_glob(glob))?;
    let inputs: Vec<GlobInput> = match &typed.files_from {
        Some(list) => vec![GlobInput::of_files(files, list, &out, context)?],
        None => typed
            .glob
            .iter()
            .map(|glob| GlobInput::new(glob, &out, context))
            .collect(),
    };
    if inputs.iter().any(|input| input.is_folder_of(&out)) {
        return Err(OneLinerError::OutIsInput { out });
    }
    if let Some(name) = first_repeated(&inputs) {
        return Err(OneLinerError::SameName { name });
    }
    let mut transform = json!({ "cmd": argv(typed, &inputs, context.pipes), "placeholders": true });
    if let Some(command) = &typed.on_error {
        transform["err_cmd"] =
            json!(Script::new(command, &placeholders(&inputs)).into_argv(context.pipes));
    }
    let mut spec = json!({
        "pipeline": { "name": out },
        "transform": transform,
        "input": tree(&inputs),
    });
    if !typed.concat && !shares_stdout(typed, &inputs) {
        spec["output_conflict"] = json!("error");
    }
    if !typed.code.is_empty() {
        spec["code"] = json!(typed.code);
    }
    if let Some(tries) = typed.tries {
        spec["datum_tries"] = json!(tries);
    }
    if let Some(timeout) = typed.timeout {
        spec["datum_timeout"] = json!(format!("{}s", timeout.as_secs_f64()));
    }
    Ok(spec)
}

fn check_command(command: &[String]) -> Result<(), OneLinerError> {
    match command.first() {
        None => Err(OneLinerError::NoCommand),
        Some(program) if program.trim().is_empty() => Err(OneLinerError::EmptyCommand),
        Some(_) => Ok(()),
    }
}
