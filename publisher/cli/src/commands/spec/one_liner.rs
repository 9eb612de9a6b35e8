//! Converts a one-liner to a pipeline spec, as a pure function.

use std::path::{Component, Path, PathBuf};

use drover_shared::id::{InvalidId, PipelineName};
use serde_json::{Value, json};

use crate::args::OneLiner;
use crate::commands::spec::file_list;
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

/// An invalid one-liner.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OneLinerError {
    /// `--out` is no valid name of a pipeline.
    #[error("--out names the pipeline and its output folder")]
    Out(#[source] InvalidId),
    /// The command is missing.
    #[error(
        "--glob needs a command to run, after `--`: drover run --glob 'photos/*.jpg' --out thumbs -- COMMAND '{{}}'"
    )]
    NoCommand,
    /// The name of the program is empty.
    #[error(
        "the command after `--` is empty; name a program and its arguments, or one script in quotes"
    )]
    EmptyCommand,
    /// `--glob` is empty.
    #[error("--glob is empty; give the path of the files, for example 'photos/*.jpg'")]
    EmptyGlob,
    /// `--glob` holds what only a shell replaces.
    #[error(
        "--glob {glob:?} begins with {what}, which the shell leaves alone inside single quotes; write the path itself, or \"$HOME\"'/photos/*.jpg'"
    )]
    Unexpanded {
        /// The glob as typed.
        glob: String,
        /// The part for the shell.
        what: &'static str,
    },
    /// `--glob` is quoted twice.
    #[error("--glob {glob} holds the quotes themselves; one pair of quotes is enough")]
    Quoted {
        /// The glob as typed.
        glob: String,
    },
    /// The output folder is the input.
    #[error(
        "--out {out} is the very folder that is read; choose another name for the output, for example {out}-out"
    )]
    OutIsInput {
        /// The name.
        out: PipelineName,
    },
    /// `--files-from` lists no files.
    #[error("--files-from {list}: the list is empty")]
    NoFiles {
        /// The list as typed.
        list: String,
    },
    /// The files of `--files-from` have no folder in common.
    #[error(
        "--files-from {list}: the files lie in different folders below /; put them below one folder"
    )]
    NoFolder {
        /// The list as typed.
        list: String,
    },
    /// Two inputs have the same name.
    #[error(
        "two inputs have the name {name:?}; write a spec, where each input can have its own `name`"
    )]
    SameName {
        /// The name.
        name: String,
    },
}

/// Environment of a one-liner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneLinerContext<'a> {
    /// Folder of the store; none for a bucket.
    pub store: Option<&'a Path>,
    pub current_dir: &'a Path,
    pub pipes: PipeShell,
}

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

/// Refuses a glob that was most likely quoted by mistake.
fn check_glob(typed: &str) -> Result<(), OneLinerError> {
    let glob = typed.to_owned();
    let is_quoted_by =
        |quote| typed.len() > 1 && typed.starts_with(quote) && typed.ends_with(quote);
    if typed.is_empty() {
        Err(OneLinerError::EmptyGlob)
    } else if is_quoted_by('\'') || is_quoted_by('"') {
        Err(OneLinerError::Quoted { glob })
    } else if typed.starts_with("~/") {
        Err(OneLinerError::Unexpanded { glob, what: "~" })
    } else if typed.starts_with('$') {
        let what = "the name of a variable";
        Err(OneLinerError::Unexpanded { glob, what })
    } else {
        Ok(())
    }
}

/// One `--glob` as a leaf of the input tree.
#[derive(Debug, Eq, PartialEq)]
struct GlobInput {
    name: String,
    url: Option<String>,
    glob: String,
    /// True if directories are left out.
    files_only: bool,
    /// The output folder, if inside the input.
    exclude: Option<String>,
}

impl GlobInput {
    /// The input of `--files-from`: the files as alternatives of a glob in their common folder.
    fn of_files(
        files: &[String],
        list: &Path,
        out: &PipelineName,
        context: OneLinerContext<'_>,
    ) -> Result<Self, OneLinerError> {
        let list = || list.display().to_string();
        let paths: Vec<PathBuf> = files
            .iter()
            .map(|file| normalised(&context.current_dir.join(file)))
            .collect();
        if paths.is_empty() {
            return Err(OneLinerError::NoFiles { list: list() });
        }
        let folder = file_list::common_folder(&paths)
            .ok_or_else(|| OneLinerError::NoFolder { list: list() })?;
        let glob = file_list::glob(&paths, &folder);
        Ok(Self::in_folder(&folder, glob, true, out, context))
    }

    fn new(typed: &str, out: &PipelineName, context: OneLinerContext<'_>) -> Self {
        let (place, glob) = split(typed);
        let files_only = !glob.ends_with('/');
        let glob = format!("/{}", glob.trim_start_matches('/'));
        let leaf = |name: &str, url: Option<String>| Self {
            name: input_name(name),
            url,
            glob: glob.clone(),
            files_only,
            exclude: None,
        };
        match place {
            GlobRoot::Repo(repo) => leaf(repo, None),
            GlobRoot::Url(url) => leaf(
                url.rsplit('/').next().unwrap_or_default(),
                Some(url.to_owned()),
            ),
            GlobRoot::Folder(folder) => {
                let folder = normalised(&context.current_dir.join(folder));
                Self::in_folder(&folder, glob, files_only, out, context)
            }
        }
    }

    /// An input in a folder of the local machine: a repo if the folder lies directly in the store.
    fn in_folder(
        folder: &Path,
        glob: String,
        files_only: bool,
        out: &PipelineName,
        context: OneLinerContext<'_>,
    ) -> Self {
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let is_repo = context
            .store
            .is_some_and(|store| folder.parent() == Some(store) && name == input_name(&name));
        let output = context.store.map(|store| store.join(out.as_str()));
        let below = output
            .as_ref()
            .and_then(|output| output.strip_prefix(folder).ok());
        Self {
            name: input_name(&name),
            url: (!is_repo).then(|| folder.display().to_string()),
            glob,
            files_only,
            exclude: below
                .filter(|_| !is_repo)
                .map(|below| format!("/{}", below.display())),
        }
    }

    /// True if the input is the output folder of the pipeline.
    fn is_folder_of(&self, out: &PipelineName) -> bool {
        self.url.is_none() && self.name == out.as_str()
    }

    fn json(&self) -> Value {
        let mut pfs = json!({ "name": self.name, "repo": self.name, "glob": self.glob });
        if let Some(url) = &self.url {
            pfs["url"] = json!(url);
        }
        if self.files_only {
            pfs["files_only"] = json!(true);
        }
        if let Some(exclude) = &self.exclude {
            pfs["exclude"] = json!(exclude);
        }
        json!({ "pfs": pfs })
    }
}

/// Root folder of a `--glob`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum GlobRoot<'a> {
    /// A folder of the store.
    Repo(&'a str),
    /// A folder of the local machine, relative to the current directory.
    Folder(&'a str),
    /// A bucket.
    Url(&'a str),
}

/// Splits `ROOT:GLOB`, or a path at the first segment with wildcards.
fn split(typed: &str) -> (GlobRoot<'_>, &str) {
    let colon = typed
        .match_indices(':')
        .find(|(at, _)| !typed[at + 1..].starts_with("//"));
    if let Some((at, _)) = colon {
        let (place, glob) = (&typed[..at], &typed[at + 1..]);
        return match place {
            "" | "." | ".." => (GlobRoot::Folder(place), glob),
            url if url.contains("://") => (GlobRoot::Url(url), glob),
            path if path.contains('/') => (GlobRoot::Folder(path), glob),
            repo => (GlobRoot::Repo(repo), glob),
        };
    }
    let is_wild = |segment: &str| segment.contains(['*', '?', '[', '{', '(', '\\']);
    let body = typed.trim_end_matches('/');
    let mut cut = 0;
    for (at, _) in body.match_indices('/') {
        if is_wild(&body[cut..at]) {
            break;
        }
        cut = at + 1;
    }
    let (folder, glob) = typed.split_at(cut);
    match folder.trim_end_matches('/') {
        "" if cut > 0 => (GlobRoot::Folder("/"), glob),
        url if url.contains("://") => (GlobRoot::Url(url), glob),
        path => (GlobRoot::Folder(path), glob),
    }
}

/// Normalises `a/./b/../c` to `a/c` without access to the disk.
fn normalised(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

/// A name for an input that is also valid as a prefix of variables, a directory and a placeholder.
fn input_name(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|each| {
            if each.is_ascii_alphanumeric() || each == '-' {
                each
            } else {
                '_'
            }
        })
        .collect();
    match clean.as_str() {
        "" => "input".to_owned(),
        "out" => "out_".to_owned(),
        _ => clean,
    }
}

fn first_repeated(inputs: &[GlobInput]) -> Option<String> {
    let repeats = |(at, leaf): &(usize, &GlobInput)| {
        inputs[..*at]
            .iter()
            .any(|earlier| earlier.name == leaf.name)
    };
    inputs
        .iter()
        .enumerate()
        .find(repeats)
        .map(|(_, leaf)| leaf.name.clone())
}

/// A single leaf, or the cross of several leaves.
fn tree(inputs: &[GlobInput]) -> Value {
    match inputs {
        [leaf] => leaf.json(),
        leaves => json!({ "cross": leaves.iter().map(GlobInput::json).collect::<Vec<_>>() }),
    }
}

fn placeholders(inputs: &[GlobInput]) -> Vec<String> {
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
fn argv(typed: &OneLiner, inputs: &[GlobInput], pipes: PipeShell) -> Vec<String> {
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
fn shares_stdout(typed: &OneLiner, inputs: &[GlobInput]) -> bool {
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

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn typed(arguments: &[&str]) -> OneLiner {
        let line = ["drover", "run"].iter().chain(arguments);
        let Command::Run(run) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not a run");
        };
        run.sources.one_liner
    }

    /// The spec of a command line, typed in `/home/ann` with the store there.
    fn spec_of(arguments: &[&str]) -> Result<Value, OneLinerError> {
        let here = Path::new("/home/ann");
        spec(
            &typed(arguments),
            &[],
            OneLinerContext {
                store: Some(here),
                current_dir: here,
                pipes: PipeShell::Plain,
            },
        )
    }

    fn cmd_of(arguments: &[&str]) -> String {
        let line: Vec<&str> = ["--glob", "logs:/*.gz", "--out", "o"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let spec = spec_of(&line).unwrap();
        let words: Vec<String> = serde_json::from_value(spec["transform"]["cmd"].clone()).unwrap();
        words.join(" | ")
    }

    #[test]
    fn a_glob_names_a_folder_and_what_is_taken_from_it() {
        let rows = [
            ("photos:/*.jpg", "photos", None, "/*.jpg", None),
            ("photos:*.jpg", "photos", None, "/*.jpg", None),
            ("photos/*.jpg", "photos", None, "/*.jpg", None),
            ("./photos/*.jpg", "photos", None, "/*.jpg", None),
            (
                "photos/2026/*/*.jpg",
                "2026",
                Some("/home/ann/photos/2026"),
                "/*/*.jpg",
                None,
            ),
            ("photos/a.jpg", "photos", None, "/a.jpg", None),
            (
                "./photos/2026:/*.jpg",
                "2026",
                Some("/home/ann/photos/2026"),
                "/*.jpg",
                None,
            ),
            ("../bob/*.txt", "bob", Some("/home/bob"), "/*.txt", None),
            (
                "/data/my logs/*.gz",
                "my_logs",
                Some("/data/my logs"),
                "/*.gz",
                None,
            ),
            ("/*.gz", "input", Some("/"), "/*.gz", Some("/home/ann/o")),
            ("*.jpg", "ann", Some("/home/ann"), "/*.jpg", Some("/o")),
            (".:/**.jpg", "ann", Some("/home/ann"), "/**.jpg", Some("/o")),
            (
                "s3://bucket/logs/*.gz",
                "logs",
                Some("s3://bucket/logs"),
                "/*.gz",
                None,
            ),
            (
                "s3://bucket/a/b:/**.gz",
                "b",
                Some("s3://bucket/a/b"),
                "/**.gz",
                None,
            ),
            ("runs/*/", "runs", None, "/*/", None),
            ("logs/{a,b}/*.gz", "logs", None, "/{a,b}/*.gz", None),
        ];
        for (typed, name, url, glob, exclude) in rows {
            let spec = spec_of(&["--glob", typed, "--out", "o", "--", "true"]).unwrap();
            let pfs = &spec["input"]["pfs"];
            let found = (
                pfs["name"].as_str(),
                pfs["url"].as_str(),
                pfs["glob"].as_str(),
                pfs["exclude"].as_str(),
            );
            assert_eq!(found, (Some(name), url, Some(glob), exclude), "{typed}");
            assert_eq!(
                pfs["files_only"].as_bool().unwrap_or(false),
                !typed.ends_with('/'),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_command_gets_its_input_one_way_or_another() {
        let rows: [(&[&str], &str); 15] = [
            (
                &["--", "cp", "{}", "{out}/{rel}"],
                r#"sh | -c | mkdir -p "$(dirname "${4}")" && "${1}" "${2}" "${3}" | sh | cp | {} | {out}/{rel} | {out}/{rel}"#,
            ),
            (
                &["--", "gzip <{} >{out}/{rel}"],
                r#"sh | -c | mkdir -p "$(dirname "${4}")" && gzip <"${1}" >"${2}"/"${3}" | sh | {} | {out} | {rel} | {out}/{rel}"#,
            ),
            (
                &["--stdout", "{rel}", "--", "wc", "{}"],
                r#"sh | -c | mkdir -p "$(dirname "${3}")" && "${1}" "${2}" >"${3}" | sh | wc | {} | {out}/{rel}"#,
            ),
            (
                &["--", "convert", "{}", "{out}/{/}"],
                "convert | {} | {out}/{/}",
            ),
            (&["--", "gzip", "-t"], "gzip | -t | {}"),
            (&["--", "gzip", "-t", "{out}"], "gzip | -t | {out} | {}"),
            (&["--", "sh", "-c", "wc $logs"], "sh | -c | wc $logs"),
            (
                &["--", "sh", "-c", "wc /pfs/logs/*"],
                "sh | -c | wc /pfs/logs/*",
            ),
            (&["--", "wc {logs}"], r#"sh | -c | wc "${1}" | sh | {logs}"#),
            (&["--", "gzip -t"], r#"sh | -c | gzip -t "${1}" | sh | {}"#),
            (
                &["--stdin", "--", "wc", "-l"],
                r#"sh | -c | "${1}" "${2}" <"${3}" | sh | wc | -l | {}"#,
            ),
            (
                &["--stdin", "--", "zcat | wc"],
                "sh | -c | { zcat | wc\n} <\"${1}\" | sh | {}",
            ),
            (
                &["--stdout", "all.txt", "--", "wc", "{}"],
                r#"sh | -c | "${1}" "${2}" >"${3}" | sh | wc | {} | {out}/all.txt"#,
            ),
            (
                &["--stdout", "{/.}", "--", "zcat {}"],
                "sh | -c | { zcat \"${1}\"\n} >\"${2}\" | sh | {} | {out}/{/.}",
            ),
            (
                &["--stdout", "d/{/}", "--", "wc", "{}"],
                r#"sh | -c | mkdir -p "$(dirname "${3}")" && "${1}" "${2}" >"${3}" | sh | wc | {} | {out}/d/{/}"#,
            ),
        ];
        for (typed, cmd) in rows {
            assert_eq!(cmd_of(typed), cmd, "{typed:?}");
        }
    }

    #[test]
    fn several_globs_are_every_combination() {
        let spec = spec_of(&[
            "--glob", "a/*", "--glob", "b/*", "--out", "o", "--", "compare",
        ])
        .unwrap();
        assert_eq!(spec["input"]["cross"][1]["pfs"]["name"], "b");
        assert_eq!(spec["transform"]["cmd"], json!(["compare", "{a}", "{b}"]));
    }

    #[test]
    fn the_other_flags_become_fields() {
        let line = "--glob a/* --out o --tries 5 --timeout 1m30s --on-error true -- x";
        let spec = spec_of(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(spec["datum_tries"], 5);
        assert_eq!(spec["datum_timeout"], "90s");
        assert_eq!(
            spec["transform"]["err_cmd"],
            json!(["sh", "-c", "true", "sh"])
        );
        assert_eq!(spec["pipeline"]["name"], "o");
        assert_eq!(spec["transform"]["placeholders"], true);
    }

    #[test]
    fn several_writers_of_one_path_are_an_error_unless_that_is_asked_for() {
        let rows = [
            ("-- cp {} {out}/{/}", Some("error")),
            ("--concat -- cp {} {out}/{/}", None),
            ("--stdout all.txt -- wc", None),
            ("--stdout {/} -- wc", Some("error")),
        ];
        for (typed, conflict) in rows {
            let line = format!("--glob a/* --out o {typed}");
            let spec = spec_of(&line.split(' ').collect::<Vec<_>>()).unwrap();
            assert_eq!(spec["output_conflict"].as_str(), conflict, "{typed}");
        }
    }

    #[test]
    fn a_word_in_braces_that_is_no_placeholder_is_found() {
        let rows: [(&[&str], &[&str]); 5] = [
            (&["cp", "{in}", "{out/}"], &["{in}", "{out/}"]),
            (&["cp", "{}", "{/..}"], &["{/..}"]),
            (&["cp", "{photos}", "{out}/{/}"], &[]),
            (&["awk", "{print}", "{}"], &[]),
            (&["for f in {}; do cp ${f} {output}; done"], &["{output}"]),
        ];
        for (command, expected) in rows {
            let line = ["--glob", "photos:/*", "--out", "o", "--"];
            let typed = typed(&[&line[..], command].concat());
            assert_eq!(foreign_placeholders(&typed, &["photos"]), expected);
        }
    }

    #[test]
    fn a_glob_that_only_a_shell_could_read_is_refused() {
        let rows = [
            ("", "is empty"),
            ("'photos/*.jpg'", "quotes themselves"),
            ("~/photos/*.jpg", "begins with ~"),
            ("$HOME/photos/*.jpg", "name of a variable"),
        ];
        for (glob, expected) in rows {
            let told = check_glob(glob).unwrap_err().to_string();
            assert!(told.contains(expected), "{told}");
        }
        assert!(check_glob("./~/$a/*.jpg").is_ok());
    }

    #[test]
    fn a_one_liner_without_sense_is_refused() {
        let rows: [(&[&str], &str); 3] = [
            (
                &["--glob", "a/*", "--out", "../x", "--", "y"],
                "--out names the pipeline",
            ),
            (&["--glob", "a/*", "--out", "o"], "--glob needs a command"),
            (
                &["--glob", "a/*", "--glob", "b/a/*", "--out", "o", "--", "y"],
                "two inputs have the name \"a\"",
            ),
        ];
        for (typed, words) in rows {
            let error = spec_of(typed).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
