//! The words of a command that may name code files.

/// Characters that separate words in a shell script.
const SEPARATORS: [char; 12] = [';', '|', '&', '<', '>', '(', ')', '"', '\'', '`', '=', '$'];

/// Words that may be paths, in order: the arguments, and the words within arguments that look like scripts. The program
/// counts only if it is a path, and not if it is found on the `PATH`. Words after `>` are written, not read.
pub(super) fn candidates(cmd: &[String], placeholders: bool) -> Vec<&str> {
    let mut words = Vec::new();
    for (index, argument) in cmd.iter().enumerate() {
        if index > 0 || argument.contains('/') {
            words.push(argument.as_str());
        }
        if argument.contains(char::is_whitespace) || argument.contains(SEPARATORS) {
            words.extend(words_of(argument));
        }
    }
    words.retain(|word| !(word.is_empty() || placeholders && word.contains(['{', '}'])));
    words
}

fn words_of(script: &str) -> impl Iterator<Item = &str> {
    let mut rest = script;
    let mut is_written = false;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find(|each: char| !is_separator(each))?;
            is_written |= rest[..start].contains('>');
            let word = &rest[start..];
            let end = word.find(is_separator).unwrap_or(word.len());
            rest = &word[end..];
            if !std::mem::take(&mut is_written) {
                return Some(&word[..end]);
            }
        }
    })
}

fn is_separator(each: char) -> bool {
    each.is_whitespace() || SEPARATORS.contains(&each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_and_the_words_of_scripts_are_candidates() {
        let rows: [(&[&str], &[&str]); 7] = [
            (&["python3", "s.py", "-v"], &["s.py", "-v"]),
            (&["./run.sh", "{}"], &["./run.sh"]),
            (
                &["python3", "my script.py"],
                &["my script.py", "my", "script.py"],
            ),
            (
                &["sh", "-c", "python3 s.py {} > log.txt && ./x.sh"],
                &["-c", "python3", "s.py", "&&", "./x.sh"],
            ),
            (&["sh", "-c", "cat <a.txt >>b.txt"], &["-c", "cat", "a.txt"]),
            (
                &["tool", "--config=c.toml"],
                &["--config=c.toml", "--config", "c.toml"],
            ),
            (&["python3"], &[]),
        ];
        for (cmd, expected) in rows {
            let cmd: Vec<String> = cmd.iter().map(|word| (*word).to_owned()).collect();
            let words = candidates(&cmd, true);
            let words: Vec<&str> = words
                .into_iter()
                .filter(|word| !word.contains(" > ") && !word.contains(" <"))
                .collect();
            let expected: Vec<&str> = expected
                .iter()
                .copied()
                .filter(|word| *word != "&&")
                .collect();
            assert_eq!(words, expected, "{cmd:?}");
        }
    }

    #[test]
    fn braces_are_words_where_they_are_no_placeholders() {
        let cmd = ["sh".to_owned(), "{a}".to_owned()];
        assert_eq!(candidates(&cmd, false), ["{a}"]);
        assert!(candidates(&cmd, true).is_empty());
    }
}
