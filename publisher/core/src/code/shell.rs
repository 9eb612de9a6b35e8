//! The words of a shell script, without running the script.

use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

/// The value of a variable.
pub(super) type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// Words of a script, unquoted, with variables and `~` expanded. An assignment in the script gives its variable a value.
/// An unknown variable is empty. Words after `>` are left out.
pub(super) fn shell_words(script: &str, lookup: &Lookup<'_>) -> Vec<String> {
    let mut reader = Reader {
        rest: script.chars().peekable(),
        lookup,
        assigned: HashMap::new(),
        word: None,
        words: Vec::new(),
        is_written: false,
    };
    while let Some(each) = reader.rest.next() {
        reader.take(each);
    }
    reader.end_word();
    reader.words
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    lookup: &'a Lookup<'a>,
    assigned: HashMap<String, String>,
    /// None between words.
    word: Option<String>,
    words: Vec<String>,
    /// True if the next word is the target of a redirection.
    is_written: bool,
}

impl Reader<'_> {
    fn take(&mut self, each: char) {
        match each {
            '\'' => {
                let quoted: String = self
                    .rest
                    .by_ref()
                    .take_while(|each| *each != '\'')
                    .collect();
                self.push(&quoted);
            }
            '"' => self.double_quoted(),
            '\\' => {
                if let Some(next) = self.rest.next().filter(|next| *next != '\n') {
                    self.push(next.encode_utf8(&mut [0; 4]));
                }
            }
            '$' => self.variable(),
            '~' if self.word.is_none() && matches!(self.rest.peek(), Some('/')) => {
                let home = (self.lookup)("HOME").unwrap_or_default();
                self.push(&home);
            }
            '>' => {
                self.end_word();
                self.is_written = true;
            }
            _ if each.is_whitespace() => self.end_word(),
            ';' | '|' | '&' | '<' | '(' | ')' | '`' => {
                self.end_word();
            }
            _ => self.push(each.encode_utf8(&mut [0; 4])),
        }
    }

    fn double_quoted(&mut self) {
        self.push("");
        while let Some(each) = self.rest.next() {
            match each {
                '"' => return,
                '\\' => {
                    if let Some(next) = self.rest.next() {
                        self.push(next.encode_utf8(&mut [0; 4]));
                    }
                }
                '$' => self.variable(),
                _ => self.push(each.encode_utf8(&mut [0; 4])),
            }
        }
    }

    /// The value of the variable after a `$`.
    fn variable(&mut self) {
        let is_braced = self.rest.next_if_eq(&'{').is_some();
        let mut name = String::new();
        while let Some(each) = self
            .rest
            .next_if(|each| each.is_ascii_alphanumeric() || *each == '_')
        {
            name.push(each);
        }
        if is_braced {
            self.rest
                .by_ref()
                .take_while(|each| *each != '}')
                .for_each(drop);
        }
        let assigned = self.assigned.get(&name).cloned();
        let value = assigned
            .or_else(|| (self.lookup)(&name))
            .unwrap_or_default();
        self.push(&value);
    }

    fn push(&mut self, text: &str) {
        self.word.get_or_insert_default().push_str(text);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take().filter(|word| !word.is_empty()) else {
            return;
        };
        if std::mem::take(&mut self.is_written) {
            return;
        }
        if let Some((name, value)) = word.split_once('=')
            && name
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || each == '_')
        {
            self.assigned.insert(name.to_owned(), value.to_owned());
        }
        self.words.push(word);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_variables_and_redirections_are_understood() {
        let rows: [(&str, &[&str]); 12] = [
            ("a b", &["a", "b"]),
            ("'a b'c", &["a bc"]),
            ("\"a $X\" $X", &["a 1", "1"]),
            ("a\\ b", &["a b"]),
            ("a>b c", &["a", "c"]),
            ("a 2>&1 b", &["a", "2", "b"]),
            ("$(cat f)", &["cat", "f"]),
            ("`cat f`", &["cat", "f"]),
            (
                "Y=2; echo $Y ${Y}z ${Y:-3}",
                &["Y=2", "echo", "2", "2z", "2"],
            ),
            ("$NONE/a", &["/a"]),
            ("~/a ~b", &["/h/a", "~b"]),
            ("'open", &["open"]),
        ];
        let lookup = |name: &str| match name {
            "X" => Some("1".to_owned()),
            "HOME" => Some("/h".to_owned()),
            _ => None,
        };
        for (script, expected) in rows {
            assert_eq!(shell_words(script, &lookup), expected, "{script}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_words(script in "[a'\"\\\\$`{}~/>= \n;]{0,40}") {
            shell_words(&script, &|_| None);
        }
    }
}
