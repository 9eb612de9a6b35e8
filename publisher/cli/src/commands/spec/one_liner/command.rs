//! The command of a one-liner: placeholders, redirections, and the shell for them.

use super::input::GlobInput;
use crate::args::OneLiner;
use crate::commands::spec::shell::{PipeShell, Script};

/// Placeholders that the worker replaces in any command; `{NAME}` for each input is added.
const PLACEHOLDERS: [&str; 8] = ["{}", "{/}", "{.}", "{/.}", "{//}", "{rel}", "{#}", "{out}"];

/// Words in braces that hasty hands, or readers of other manuals, take for placeholders.
const FOREIGN_PLACEHOLDERS: [&str; 16] = [
    "in", "input", "inputs", "file", "files", "path", "name", "filename", "basename", "base",
    "stem", "output", "outdir", "outfile", "dir", "+",
];

/// An output at the place of the input; the directory is created before the command runs.
const MIRRORED: &str = "{out}/{rel}";

/// All placeholders of the command.
pub(super) fn placeholders(inputs: &[GlobInput]) -> Vec<String> {
    let names = inputs.iter().map(|leaf| format!("{{{}}}", leaf.name));
    PLACEHOLDERS
        .into_iter()
        .map(str::to_owned)
        .chain(names)
        .collect()
}

/// The words of the command that look like placeholders and are none.
pub(crate) fn foreign_placeholders(typed: &OneLiner, names: &[&str]) -> Vec<String> {
    let is_foreign = |inner: &str| {
        let only_signs = !inner.is_empty() && inner.chars().all(|sign| "./#".contains(sign));
        let with_signs = inner.trim_matches(['/', '.']);
        let has_known_word = ["out", "rel"].contains(&with_signs) && with_signs != inner;
        only_signs || has_known_word || FOREIGN_PLACEHOLDERS.contains(&inner)
    };
    let mut found: Vec<String> = Vec::new();
    for word in &typed.command {
        for piece in word.split('{').skip(1) {
            let Some((inner, _)) = piece.split_once('}') else {
                continue;
            };
            let whole = format!("{{{inner}}}");
            let is_known = PLACEHOLDERS.contains(&whole.as_str()) || names.contains(&inner);
            if !is_known && is_foreign(inner) && !found.contains(&whole) {
                found.push(whole);
            }
        }
    }
    found
}

/// The command for the worker: inputs are appended if the command mentions none (as in GNU parallel), and a shell is
/// added where one is needed.
pub(super) fn argv(typed: &OneLiner, inputs: &[GlobInput], pipes: PipeShell) -> Vec<String> {
    let known = placeholders(inputs);
    let mut command = typed.command.clone();
    if !typed.stdin && !mentions_input(&command, inputs, &known) {
        append_inputs(&mut command, inputs);
    }
    let is_redirected = typed.stdin || typed.stdout.is_some();
    let mirrors = command.iter().any(|word| word.contains(MIRRORED));
    let mut script = if is_script(&typed.command) {
        let mut script = Script::new(&command[0], &known);
        if is_redirected {
            script.text = format!("{{ {}\n}}", script.text);
        }
        script
    } else {
        if !is_redirected && !mirrors {
            return command;
        }
        words(&command)
    };
    if mirrors {
        let path = script.parameter(MIRRORED);
        script.text = format!("mkdir -p \"$(dirname \"{path}\")\" && {}", script.text);
    }
    redirect(script, typed).into_argv(pipes)
}

/// True if `--stdout` names a single file for the output of all datums.
pub(super) fn shares_stdout(typed: &OneLiner, inputs: &[GlobInput]) -> bool {
    let known = placeholders(inputs);
    typed
        .stdout
        .as_ref()
        .is_some_and(|name| !known.iter().any(|each| name.contains(each.as_str())))
}

/// True if the command is a shell script: a single argument of several words.
fn is_script(command: &[String]) -> bool {
    matches!(command, [script] if script.contains(char::is_whitespace))
}

/// Appends every input to a command, or to a script.
fn append_inputs(command: &mut Vec<String>, inputs: &[GlobInput]) {
    let missing: Vec<String> = match inputs {
        [_] => vec!["{}".to_owned()],
        several => several
            .iter()
            .map(|leaf| format!("{{{}}}", leaf.name))
            .collect(),
    };
    if is_script(command) {
        command[0] = format!("{} {}", command[0], missing.join(" "));
    } else {
        command.extend(missing);
    }
}

/// Converts a command to a script, word by word.
fn words(command: &[String]) -> Script {
    let mut script = Script::default();
    let quoted: Vec<String> = command
        .iter()
        .map(|word| format!("\"{}\"", script.parameter(word)))
        .collect();
    script.text = quoted.join(" ");
    script
}

/// True if the command mentions an input by placeholder, path or variable.
fn mentions_input(command: &[String], inputs: &[GlobInput], known: &[String]) -> bool {
    command.iter().any(|word| {
        let by_placeholder = known
            .iter()
            .any(|each| each != "{out}" && each != "{#}" && word.contains(each.as_str()));
        let by_path = word.contains("/pfs/") && !word.contains("/pfs/out");
        let by_variable = |leaf: &GlobInput| {
            word.contains(&format!("${}", leaf.name)) || word.contains(&format!("${{{}", leaf.name))
        };
        by_placeholder || by_path || inputs.iter().any(by_variable)
    })
}

/// Adds the redirections of `--stdin` and `--stdout`.
fn redirect(mut script: Script, typed: &OneLiner) -> Script {
    if typed.stdin {
        let input = script.parameter("{}");
        script.text = format!("{} <\"{input}\"", script.text);
    }
    if let Some(name) = &typed.stdout {
        let output = script.parameter(&format!("{{out}}/{name}"));
        script.text = format!("{} >\"{output}\"", script.text);
        if has_directory(name) {
            script.text = format!("mkdir -p \"$(dirname \"{output}\")\" && {}", script.text);
        }
    }
    script
}

/// True if the file name may contain a directory after replacement.
fn has_directory(name: &str) -> bool {
    let without_names = name.replace("{/}", "").replace("{/.}", "");
    ["/", "{}", "{.}", "{rel}"]
        .iter()
        .any(|part| without_names.contains(part))
}
