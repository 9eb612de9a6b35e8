//! Makes foreign text (file names, output of commands) safe for a terminal and for a shell.

/// Escapes control characters, so no text can move the cursor.
pub(crate) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for each in text.chars() {
        if each.is_control() {
            clean.extend(each.escape_default());
        } else {
            clean.push(each);
        }
    }
    clean
}

/// Quotes a text as one word of a shell command.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |each: char| each.is_ascii_alphanumeric() || "-_./:=@%+,".contains(each);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_foreign_text_reaches_the_terminal_with_control_characters() {
        assert_eq!(printable("größe €"), "größe €");
        assert_eq!(printable("a\u{1b}[2Jb\nc"), r"a\u{1b}[2Jb\nc");
    }

    #[test]
    fn a_shell_reads_a_word_back_as_it_was() {
        for (text, word) in [
            ("a/b-1.csv", "a/b-1.csv"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("a b", "'a b'"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
