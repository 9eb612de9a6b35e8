//! Advice for common mistakes on the command line, which clap reports without knowing the intention.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;

/// Verbs of foreign tools, and the command to try.
const SYNONYMS: &[(&[&str], &str)] = &[
    (
        &[
            "ls", "list", "ps", "status", "show", "get", "history", "top",
        ],
        "`drover jobs` lists jobs, `drover job` shows the last one, `drover pipelines` lists registered pipelines",
    ),
    (
        &["describe", "inspect", "info"],
        "`drover job` shows a job, `drover datums` its datums, `drover explain` explains it",
    ),
    (
        &["log", "tail"],
        "`drover logs` shows the output of commands",
    ),
    (
        &["watch", "follow"],
        "`drover wait` waits for a job, `drover logs --follow` shows its output",
    ),
    (
        &["kill", "cancel", "abort"],
        "`drover stop JOB` stops a job",
    ),
    (
        &["rerun", "again"],
        "`drover retry` runs failed datums again",
    ),
    (
        &["start", "exec", "submit", "apply"],
        "`drover run` runs pipelines here, `drover publish` submits them to a cluster, `drover create pipeline` registers them",
    ),
    (
        &["rm", "remove", "unregister"],
        "`drover delete pipeline NAME` removes a registered pipeline",
    ),
    (&["check", "lint"], "`drover validate SPEC` checks a spec"),
    (
        &["server", "daemon", "up"],
        "`drover serve` runs the service",
    ),
];

/// Flags of other tools, and the flag to try.
const FOREIGN_FLAGS: &[(&[&str], &str)] = &[
    (
        &["-o", "--output-dir", "--outdir", "--dest", "-d"],
        "`--out NAME` names the output folder",
    ),
    (
        &[
            "-P",
            "-n",
            "-t",
            "-p",
            "--jobs",
            "--threads",
            "--parallel",
            "--max-procs",
            "--slots",
            "--cores",
        ],
        "`-j N` sets how many datums run at the same time",
    ),
    (
        &["-f", "--file", "--spec", "--filename"],
        "specs stand without a flag: drover run SPEC",
    ),
    (
        &["--retries", "--retry", "--max-retries", "--attempts"],
        "`--tries N` sets the attempts in all",
    ),
    (
        &["--force", "--no-cache", "--rerun", "-B", "--all"],
        "`--reprocess` does finished work again",
    ),
    (&["--json", "--format"], "`--output json` prints JSON"),
    (
        &["--input-dir", "--in", "-i", "--files", "--pattern"],
        "`--glob 'photos/*.jpg'` names the input files",
    ),
    (
        &["--dryrun", "--preview", "--just-print", "--noop"],
        "`--dry-run` only shows the datums",
    ),
];

/// The words before `--`, behind which a command of the user stands.
pub(super) fn own_words(words: &[String]) -> &[String] {
    words.split(|word| word == "--").next().unwrap_or_default()
}

/// Rewrites `help [COMMAND]` and `version`, which other tools have, to the flags.
pub(super) fn rewrite(mut words: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    match words.get(1).and_then(|word| word.to_str()) {
        Some("version") => words[1] = "--version".into(),
        Some("help") => {
            words.remove(1);
            words.push("--help".into());
        }
        _ => {}
    }
    words
}

/// Removes clap's guess at a command, which is by similar letters, where there is advice by meaning.
pub fn without_guess(mut error: clap::Error) -> clap::Error {
    error.remove(ContextKind::SuggestedSubcommand);
    error
}

/// Advice for an error of clap about the words of the command line; none if clap's text is enough.
pub fn advice(error: &clap::Error, words: &[String]) -> Option<String> {
    let own = own_words(words);
    match error.kind() {
        ErrorKind::InvalidSubcommand => object_first(error, own).or_else(|| synonym(error)),
        ErrorKind::ArgumentConflict => {
            unquoted_glob(own).or_else(|| no_dashes(own.len() == words.len(), own))
        }
        ErrorKind::UnknownArgument => unquoted_glob(own)
            .or_else(|| spec_without_flag(error, own))
            .or_else(|| foreign_flag(error)),
        ErrorKind::InvalidValue => out_for_output(error, own),
        _ => None,
    }
}

/// The text of a context of clap's error, without the name of its value: `--output` of `--output <FORMAT>`.
fn context(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => text.split(' ').next(),
        _ => None,
    }
}

/// `create x.yaml` and `delete x`, without the word `pipeline`.
fn object_first(error: &clap::Error, words: &[String]) -> Option<String> {
    let word = context(error, ContextKind::InvalidSubcommand)?;
    match words.get(1)?.as_str() {
        verb @ ("create" | "update") => Some(format!("`drover {verb} pipeline --file {word}`")),
        verb @ ("delete" | "pause" | "resume") => Some(format!("`drover {verb} pipeline {word}`")),
        _ => None,
    }
}

/// `create pipeline x.yaml`, without `--file`.
fn spec_without_flag(error: &clap::Error, words: &[String]) -> Option<String> {
    let word = context(error, ContextKind::InvalidArg).filter(|word| !word.starts_with('-'))?;
    let verb = words
        .get(1)
        .filter(|verb| ["create", "update"].contains(&verb.as_str()))?;
    Some(format!("`drover {verb} pipeline --file {word}`"))
}

fn foreign_flag(error: &clap::Error) -> Option<String> {
    let flag = context(error, ContextKind::InvalidArg)?;
    let found = FOREIGN_FLAGS
        .iter()
        .find(|(flags, _)| flags.contains(&flag));
    found.map(|(_, advice)| (*advice).to_owned())
}

/// A one-liner without `--` before the command.
fn no_dashes(has_none: bool, words: &[String]) -> Option<String> {
    (has_none && is_one_liner(words)).then(|| {
        "the command stands after `--`: drover run --glob 'photos/*.jpg' --out thumbs -- COMMAND '{}'".to_owned()
    })
}

fn is_one_liner(words: &[String]) -> bool {
    let flags = words.iter().filter_map(|word| word.split('=').next());
    flags
        .into_iter()
        .any(|flag| flag == "--glob" || flag == "--files-from")
}

/// `--output thumbs` in place of `--out thumbs`.
fn out_for_output(error: &clap::Error, words: &[String]) -> Option<String> {
    let flag = context(error, ContextKind::InvalidArg)?;
    (flag == "--output" && is_one_liner(words)).then(|| {
        "`--out NAME` names the output folder; `--output` is the format of messages".to_owned()
    })
}

/// Letters that a mistyped command may differ in.
const MOST_TYPOS: usize = 2;

fn synonym(error: &clap::Error) -> Option<String> {
    let word = context(error, ContextKind::InvalidSubcommand)?;
    let known = SYNONYMS
        .iter()
        .find(|(words, _)| words.contains(&word))
        .map(|(_, advice)| (*advice).to_owned());
    let has_guess = error.get(ContextKind::SuggestedSubcommand).is_some();
    known.or_else(|| (!has_guess).then(|| nearest(word)).flatten())
}

/// The command that a mistyped word most likely means: clap takes swapped letters for another word.
fn nearest(word: &str) -> Option<String> {
    let commands = Cli::command();
    let near = commands
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| (strsim::osa_distance(word, command.get_name()), command));
    let (distance, command) = near.min_by_key(|(distance, _)| *distance)?;
    let is_near = distance <= MOST_TYPOS && distance < word.chars().count().saturating_sub(1);
    is_near.then(|| format!("did you mean `drover {}`?", command.get_name()))
}

/// Several words after `--glob` are the files that the shell made of a pattern.
fn unquoted_glob(words: &[String]) -> Option<String> {
    let at = words.iter().position(|word| word == "--glob")?;
    let paths: Vec<&str> = words[at + 1..]
        .iter()
        .map(String::as_str)
        .take_while(|word| !word.starts_with('-'))
        .collect();
    let (count, pattern) = (paths.len(), pattern(&paths)?);
    Some(format!(
        "{count} paths follow --glob, because the shell expanded the pattern; quote it: --glob '{pattern}' \
         (or give a list of files: printf '%s\\n' {pattern} | drover run --files-from - …)"
    ))
}

/// The probable pattern of expanded paths: the common folder, and the extension if all paths share one.
fn pattern(paths: &[&str]) -> Option<String> {
    let (first, others) = paths.split_first()?;
    if others.is_empty() {
        return None;
    }
    let folder = |path: &str| path.rfind('/').map_or("", |at| &path[..=at]).to_owned();
    let extension = |path: &str| {
        let name = &path[folder(path).len()..];
        name.rfind('.').map_or("", |at| &name[at..]).to_owned()
    };
    let folder_of_all = if others.iter().all(|path| folder(path) == folder(first)) {
        folder(first)
    } else {
        format!("{}*/", folder(folder(first).trim_end_matches('/')))
    };
    let extension_of_all = if others
        .iter()
        .all(|path| extension(path) == extension(first))
    {
        extension(first)
    } else {
        String::new()
    };
    Some(format!("{folder_of_all}*{extension_of_all}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_that_a_shell_expanded_is_guessed() {
        let rows: [(&[&str], Option<&str>); 6] = [
            (&["in/1"], None),
            (&["in/1", "in/2"], Some("in/*")),
            (&["a.jpg", "b.jpg"], Some("*.jpg")),
            (&["p/a.jpg", "p/b.png"], Some("p/*")),
            (&["p/x/a.jpg", "p/y/b.jpg"], Some("p/*/*.jpg")),
            (&[], None),
        ];
        for (paths, expected) in rows {
            assert_eq!(pattern(paths).as_deref(), expected, "{paths:?}");
        }
    }

    #[test]
    fn a_foreign_verb_gets_advice_instead_of_a_guess() {
        use clap::Parser;
        let words = ["drover".to_owned(), "status".to_owned()];
        let error = crate::args::Cli::try_parse_from(&words).unwrap_err();
        assert!(
            error.to_string().contains("tip:"),
            "the guess is clap's: {error}"
        );
        assert!(advice(&error, &words).is_some_and(|advice| advice.contains("drover jobs")));
        let shown = without_guess(error).to_string();
        assert!(
            !shown.contains("tip:") && shown.contains("status"),
            "{shown}"
        );
    }

    #[test]
    fn a_mistyped_command_is_guessed_and_another_word_is_not() {
        use clap::Parser;
        let told = |word: &str| {
            let words = ["drover".to_owned(), word.to_owned()];
            let error = crate::args::Cli::try_parse_from(&words).unwrap_err();
            advice(&error, &words).unwrap_or_else(|| error.to_string())
        };
        for (word, command) in [
            ("rnu", "run"),
            ("jbos", "jobs"),
            ("lgos", "logs"),
            ("vlaidate", "validate"),
        ] {
            assert!(told(word).contains(command), "{}", told(word));
        }
        for word in ["x", "it", "frobnicate"] {
            assert!(!told(word).contains("did you mean"), "{}", told(word));
        }
    }

    #[test]
    fn a_habit_of_another_tool_gets_the_way_that_it_goes_here() {
        use clap::Parser;
        let rows = [
            ("create x.yaml", "create pipeline --file x.yaml"),
            ("create pipeline x.yaml", "create pipeline --file x.yaml"),
            ("pause x", "pause pipeline x"),
            ("run --glob p/*.jpg --out t -P 4 -- wc", "-j N"),
            ("run --glob p/*.jpg -o t -- wc", "--out NAME"),
            ("run --glob p/*.jpg --output t -- wc", "--out NAME"),
            ("run --glob p/*.jpg --out t wc {}", "after `--`"),
            ("run -f x.yaml", "drover run SPEC"),
            ("run x.yaml --force", "--reprocess"),
            ("jobs --json", "--output json"),
        ];
        for (line, expected) in rows {
            let words: Vec<String> = format!("drover {line}")
                .split(' ')
                .map(str::to_owned)
                .collect();
            let error = crate::args::Cli::try_parse_from(&words).unwrap_err();
            let advised = advice(&error, &words).unwrap_or_default();
            assert!(advised.contains(expected), "{line}: {advised}");
        }
    }

    #[test]
    fn a_number_that_cannot_be_is_told_what_to_give() {
        use clap::Parser;
        for line in [
            "run x.yaml -j -1",
            "run x.yaml -j ten",
            "jobs --limit -1",
            "logs --tail x",
            "limit x --running -1",
            "logs --attempt 0",
            "run --glob a --out o --tries 0 -- wc",
        ] {
            let words = format!("drover {line}");
            let error = crate::args::Cli::try_parse_from(words.split(' '))
                .unwrap_err()
                .to_string();
            assert!(error.contains("give a"), "{line}: {error}");
        }
    }

    #[test]
    fn help_and_version_are_flags_too() {
        let rewritten = |line: &str| {
            let words = rewrite(line.split(' ').map(Into::into).collect());
            let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
            words.join(" ")
        };
        assert_eq!(rewritten("drover help"), "drover --help");
        assert_eq!(rewritten("drover help run"), "drover run --help");
        assert_eq!(rewritten("drover version"), "drover --version");
        assert_eq!(rewritten("drover job help"), "drover job help");
    }
}
