//! Shell scripts with placeholders: file names are passed as parameters and never become part of the script.
//!
//! `gzip -c {} > '{out}/my {/}'` becomes `gzip -c "${1}" > "${2}"'/my '"${3}"` with the parameters `{}`, `{out}` and
//! `{/}`, so the shell never interprets a file name.

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

    /// The argv that runs the script.
    pub(crate) fn into_argv(self) -> Vec<String> {
        let shell = ["sh", "-c"].map(str::to_owned);
        shell
            .into_iter()
            .chain([self.text, "sh".to_owned()])
            .chain(self.parameters)
            .collect()
    }
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
