//! The words of a command that may name code.

use drover_shared::pipeline::Transform;

use super::shell::{Lookup, shell_words};

/// Scripts inside scripts that are looked into: `sh -c "bash -c '…'"`.
const DEPTH: usize = 4;

/// A word that may name code.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Candidate {
    /// A path of a file or directory.
    Path(String),
    /// A name without a slash, which may be a program on the `PATH`.
    Program(String),
    /// A dotted name after `-m`: a module of Python.
    Module(String),
}

/// Variables for directories of code. Other variables tend to name data, and the command may change the data.
const VARIABLES: [&str; 2] = ["HOME", "PWD"];

/// Words that may name code, in order: arguments, and words of arguments and standard input that look like scripts.
/// Variables in scripts are expanded by the transform's `env`, and `HOME` and `PWD` by `lookup`. Words after `>` are
/// written, not read.
pub(super) fn candidates(transform: &Transform, lookup: &Lookup<'_>) -> Vec<Candidate> {
    let variable = |name: &str| {
        let own = transform.env.get(name).cloned();
        own.or_else(|| VARIABLES.contains(&name).then(|| lookup(name))?)
    };
    let mut found = Vec::new();
    let words: Vec<String> = transform.cmd.clone();
    if let Some((program, arguments)) = words.split_first() {
        add_word(program, true, &mut found);
        add_script(program, &variable, DEPTH, &mut found);
        add_arguments(arguments, &mut found);
        for argument in arguments {
            add_script(argument, &variable, DEPTH, &mut found);
        }
    }
    for line in &transform.stdin {
        add_script(line, &variable, DEPTH, &mut found);
    }
    if transform.placeholders {
        found.retain(|candidate| !candidate.text().contains(['{', '}']));
    }
    found
}

impl Candidate {
    /// The word.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Path(text) | Self::Program(text) | Self::Module(text) => text,
        }
    }
}

/// A word, and the part after `=` as in `--config=c.toml`.
fn add_word(word: &str, may_be_program: bool, found: &mut Vec<Candidate>) {
    if word.is_empty() {
        return;
    }
    if may_be_program && !word.contains('/') {
        found.push(Candidate::Program(word.to_owned()));
    } else {
        found.push(Candidate::Path(word.to_owned()));
    }
    if let Some((_, value)) = word.split_once('=')
        && !value.is_empty()
    {
        found.push(Candidate::Path(value.to_owned()));
    }
}

/// Arguments of a program; the one after `-m` is a module.
fn add_arguments(arguments: &[String], found: &mut Vec<Candidate>) {
    let mut is_module = false;
    for argument in arguments {
        if is_module {
            found.push(Candidate::Module(argument.clone()));
        }
        add_word(argument, false, found);
        is_module = argument == "-m";
    }
}

/// The words of a script, and of scripts in its words. A path after `cd DIRECTORY` counts in both directories.
fn add_script(script: &str, variable: &Lookup<'_>, depth: usize, found: &mut Vec<Candidate>) {
    let is_script = |text: &str| text.contains(|each: char| !is_plain(each));
    if depth == 0 || !is_script(script) {
        return;
    }
    let words = shell_words(script, variable);
    let (mut directory, mut previous) = (None, "");
    for word in &words {
        match previous {
            "cd" => directory = Some(word.clone()),
            "-m" => found.push(Candidate::Module(word.clone())),
            _ => {}
        }
        found.push(Candidate::Program(word.clone()));
        add_word(word, false, found);
        if let Some(directory) = &directory {
            found.push(Candidate::Path(format!("{directory}/{word}")));
        }
        // A word that is the whole script would be looked into for ever.
        if word != script {
            add_script(word, variable, depth - 1, found);
        }
        previous = word;
    }
}

/// True for a character that has no meaning in a shell.
fn is_plain(each: char) -> bool {
    each.is_alphanumeric() || "/._-+,:@%=".contains(each)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/ann".to_owned())
    }

    fn found(cmd: &[&str], stdin: &[&str]) -> Vec<Candidate> {
        let spec = serde_json::json!({
            "pipeline": {"name": "p"},
            "transform": {"cmd": cmd, "stdin": stdin, "placeholders": stdin.is_empty(), "env": {"LIB": "/lib 1"}},
            "input": {"pfs": {"repo": "in", "glob": "/*"}},
        });
        let pipeline =
            drover_shared::pipeline::from_value(&spec).unwrap_or_else(|error| panic!("{error}"));
        candidates(&pipeline.transform, &lookup)
    }

    fn paths(cmd: &[&str]) -> Vec<String> {
        let paths = found(cmd, &[]).into_iter();
        paths
            .filter(|candidate| matches!(candidate, Candidate::Path(_)))
            .map(|candidate| candidate.text().to_owned())
            .collect()
    }

    #[test]
    fn arguments_and_the_words_of_scripts_are_paths() {
        let rows: [(&[&str], &[&str]); 14] = [
            (&["python3", "s.py", "-v"], &["s.py", "-v"]),
            (&["./run.sh", "{}"], &["./run.sh"]),
            (
                &["python3", "my script.py"],
                &["my script.py", "my", "script.py"],
            ),
            (
                &["sh", "-c", "python3 s.py {} > log.txt && ./x.sh"],
                &["-c", "python3", "s.py", "./x.sh"],
            ),
            (&["sh", "-c", "cat <a.txt >>b.txt"], &["-c", "cat", "a.txt"]),
            (&["tool", "--config=c.toml"], &["--config=c.toml", "c.toml"]),
            (&["python3"], &[]),
            (
                &["sh", "-c", "sh 'my code/s.sh' x"],
                &["-c", "sh", "my code/s.sh", "my", "code/s.sh", "x"],
            ),
            (
                &["sh", "-c", r"sh my\ code/s.sh"],
                &["-c", "sh", "my code/s.sh", "my", "code/s.sh"],
            ),
            (&["sh", "-c", "sh ~/s.sh"], &["-c", "sh", "/home/ann/s.sh"]),
            (
                &["sh", "-c", "sh $HOME/s.sh \"${HOME}/t.sh\""],
                &["-c", "sh", "/home/ann/s.sh", "/home/ann/t.sh"],
            ),
            (
                &["sh", "-c", "D=lib; sh $D/s.sh"],
                &["-c", "lib; sh $D/s.sh", "D=lib", "lib", "sh", "lib/s.sh"],
            ),
            (
                &["sh", "-c", "cd lib && sh s.sh"],
                &[
                    "-c", "cd", "lib", "lib/lib", "sh", "lib/sh", "s.sh", "lib/s.sh",
                ],
            ),
            (
                &["sh", "-c", "bash -c 'sh s.sh'"],
                &["-c", "bash", "-c", "sh s.sh", "sh", "s.sh"],
            ),
        ];
        for (cmd, expected) in rows {
            let words = paths(cmd);
            // The whole script is a candidate, too.
            let script = cmd.last().filter(|_| cmd.contains(&"-c"));
            let words: Vec<&str> = words
                .iter()
                .map(String::as_str)
                .filter(|word| Some(word) != script)
                .collect();
            assert_eq!(words, expected, "{cmd:?}");
        }
    }

    #[test]
    fn modules_and_programs_are_told_apart_from_paths() {
        let module = Candidate::Module("pkg.mod".to_owned());
        assert!(found(&["python3", "-m", "pkg.mod"], &[]).contains(&module));
        assert!(found(&["sh", "-c", "python3 -m pkg.mod {}"], &[]).contains(&module));
        let program = Candidate::Program("mytool".to_owned());
        assert!(found(&["mytool", "x"], &[]).contains(&program));
        assert!(found(&["sh", "-c", "true; mytool {}"], &[]).contains(&program));
        assert!(!found(&["tool", "mytool"], &[]).contains(&program));
    }

    #[test]
    fn standard_input_is_a_script_and_variables_of_the_spec_are_known() {
        let found = found(&["sh"], &["sh \"$LIB/s.sh\""]);
        let script = Candidate::Path("/lib 1/s.sh".to_owned());
        assert!(found.contains(&script), "{found:?}");
    }

    #[test]
    fn braces_are_words_where_they_are_no_placeholders() {
        let transform = |placeholders| {
            let spec = serde_json::json!({
                "pipeline": {"name": "p"},
                "transform": {"cmd": ["sh", "{a}"], "placeholders": placeholders},
                "input": {"pfs": {"repo": "in", "glob": "/*"}},
            });
            drover_shared::pipeline::from_value(&spec).map(|pipeline| pipeline.transform)
        };
        let braces = Candidate::Path("{a}".to_owned());
        for (placeholders, expected) in [(false, true), (true, false)] {
            let found = transform(placeholders).map(|each| candidates(&each, &lookup));
            let found = found.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(found.contains(&braces), expected);
        }
    }
}
