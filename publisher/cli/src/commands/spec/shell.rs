//! Shell scripts with placeholders: file names are passed as parameters and never become part of the script.
//!
//! `gzip -c {} > '{out}/my {/}'` becomes `gzip -c "${1}" > "${2}"'/my '"${3}"` with the parameters `{}`, `{out}` and
//! `{/}`, so the shell never interprets a file name.

use std::process::{Command, Stdio};

/// A script whose placeholders have become positional parameters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Script {
    /// Text for `sh -c`.
    pub text: String,
    /// The placeholders that stand for `$1`, `$2` …
    pub parameters: Vec<String>,
}

impl Script {
    /// Parses a script with placeholders.
    pub(crate) fn new(typed: &str, placeholders: &[String]) -> Self {
        let mut script = Self::default();
        let mut quoting = Quoting::None;
        let mut rest = typed;
        while let Some(next) = rest.chars().next() {
            if let Some(found) = placeholders
                .iter()
                .find(|each| rest.starts_with(each.as_str()))
            {
                let parameter = script.parameter(found);
                script.text.push_str(&quoting.embed(&parameter));
                rest = &rest[found.len()..];
                continue;
            }
            script.text.push(next);
            quoting = quoting.after(next);
            rest = &rest[next.len_utf8()..];
        }
        script
    }

    /// `${n}` for a further parameter.
    pub(crate) fn parameter(&mut self, placeholder: &str) -> String {
        self.parameters.push(placeholder.to_owned());
        format!("${{{}}}", self.parameters.len())
    }

    /// The argv that runs the script. With a pipe in it, the script fails if any command of the pipe fails, where a shell
    /// for that was found.
    pub(crate) fn into_argv(self, pipes: PipeShell) -> Vec<String> {
        let (shell, text) = match pipes.options() {
            Some(shell) if has_pipe(&self.text) => {
                (shell, format!("{}{FORGIVE_READERS}", self.text))
            }
            _ => (&["sh", "-c"][..], self.text),
        };
        let shell = shell.iter().map(|word| (*word).to_owned());
        shell
            .chain([text, "sh".to_owned()])
            .chain(self.parameters)
            .collect()
    }
}

/// The end of a script with a pipe: a command that SIGPIPE ended, because its reader (`head`) had read enough, is no failure.
const FORGIVE_READERS: &str = "\ncode=$?; [ $code -eq 141 ] || exit $code";

/// The shell for scripts with a pipe.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum PipeShell {
    /// `sh`, which has the option `pipefail`.
    Sh,
    /// `bash`, because `sh` lacks the option.
    Bash,
    /// `sh` without the option: the last command of a pipe decides.
    #[default]
    Plain,
}

impl PipeShell {
    /// The shell of this machine, found by trying.
    pub(crate) fn find() -> Self {
        let knows = |shell: &str| {
            Command::new(shell)
                .args(["-o", "pipefail", "-c", ":"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        match () {
            () if knows("sh") => Self::Sh,
            () if knows("bash") => Self::Bash,
            () => Self::Plain,
        }
    }

    fn options(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Sh => Some(&["sh", "-o", "pipefail", "-c"]),
            Self::Bash => Some(&["bash", "-o", "pipefail", "-c"]),
            Self::Plain => None,
        }
    }
}

/// True if a script connects commands by `|`, outside quotes.
fn has_pipe(script: &str) -> bool {
    let mut quoting = Quoting::None;
    let mut before = ' ';
    let mut characters = script.chars().peekable();
    while let Some(next) = characters.next() {
        if (quoting, next) == (Quoting::None, '|') {
            let is_or = characters.next_if_eq(&'|').is_some();
            if !is_or && before != '>' {
                return true;
            }
        }
        before = next;
        quoting = quoting.after(next);
    }
    false
}

/// Quoting at a character of the script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Quoting {
    None,
    Single,
    Double,
    /// After a backslash; the flag is the quoting before.
    Escaped {
        double: bool,
    },
}

impl Quoting {
    fn after(self, next: char) -> Self {
        match (self, next) {
            (Self::None, '\'') => Self::Single,
            (Self::None, '"') | (Self::Escaped { double: true }, _) => Self::Double,
            (Self::None | Self::Double, '\\') => Self::Escaped {
                double: self == Self::Double,
            },
            (Self::Single, '\'') | (Self::Double, '"') | (Self::Escaped { double: false }, _) => {
                Self::None
            }
            (same, _) => same,
        }
    }

    /// Embeds a parameter as one word within the present quoting.
    fn embed(self, parameter: &str) -> String {
        match self {
            Self::None | Self::Escaped { double: false } => format!("\"{parameter}\""),
            Self::Single => format!("'\"{parameter}\"'"),
            Self::Double | Self::Escaped { double: true } => parameter.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_told_from_other_bars() {
        let rows = [
            ("a | b", true),
            ("a |& b", true),
            ("a || b", false),
            ("a || b | c", true),
            ("a '|' b", false),
            (r#"a "x|y" b"#, false),
            (r"a \| b", false),
            ("a >| b", false),
            ("a", false),
        ];
        for (script, expected) in rows {
            assert_eq!(has_pipe(script), expected, "{script}");
        }
    }

    #[test]
    fn a_script_with_a_pipe_is_run_by_a_shell_with_pipefail() {
        let argv = |text: &str, pipes| Script::new(text, &[]).into_argv(pipes).join(" ");
        assert_eq!(argv("a; b", PipeShell::Bash), "sh -c a; b sh");
        assert_eq!(argv("a | b", PipeShell::Plain), "sh -c a | b sh");
        assert_eq!(
            argv("a | b", PipeShell::Bash),
            format!("bash -o pipefail -c a | b{FORGIVE_READERS} sh")
        );
    }

    #[test]
    fn a_placeholder_is_one_word_in_any_quotes() {
        let rows = [
            ("wc {}", r#"wc "${1}""#, "{}"),
            ("wc '{}'", r#"wc ''"${1}"''"#, "{}"),
            (r#"wc "{}""#, r#"wc "${1}""#, "{}"),
            (r#"echo "it's" {/}"#, r#"echo "it's" "${1}""#, "{/}"),
            (r#"echo "a\" {/}""#, r#"echo "a\" ${1}""#, "{/}"),
            (
                "zcat {} >{out}/{/.}.txt",
                r#"zcat "${1}" >"${2}"/"${3}".txt"#,
                "{} {out} {/.}",
            ),
            ("awk '{print $1}' {}", r#"awk '{print $1}' "${1}""#, "{}"),
            ("true", "true", ""),
        ];
        let known = ["{}", "{/}", "{out}", "{/.}"].map(str::to_owned);
        for (typed, text, parameters) in rows {
            let script = Script::new(typed, &known);
            assert_eq!(script.text, text, "{typed}");
            assert_eq!(script.parameters.join(" "), parameters, "{typed}");
        }
    }
}
