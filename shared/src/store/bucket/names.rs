//! Names of objects: `object_store` accepts every character except control characters, which are escaped here.
//!
//! The escape is a bijection: every name has one object path, and every object path from `object_store`, whoever wrote
//! the object, has one name. A control character is written `%XX`. If a name itself contains a `%` that would read as
//! the beginning of such an escape (`%XX`, `%25XX`, `%2525XX` …), a `25` is inserted after the `%`.

use object_store::path::Path;

use crate::store::{StoreError, StoreKey};

/// The object path of a key.
pub(super) fn to_path(key: &StoreKey) -> Result<Path, StoreError> {
    Path::parse(escape(key.as_str())).map_err(|_| StoreError::Name {
        name: key.to_string(),
        problem: "buckets cannot store it",
    })
}

/// The key of an object path.
pub(super) fn to_key(path: &Path) -> Result<StoreKey, StoreError> {
    StoreKey::parse(&unescape(path.as_ref()))
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, each) in name.char_indices() {
        match each {
            '%' if escaped_control(&name[at + 1..]).is_some() => escaped.push_str("%25"),
            _ if each.is_ascii_control() => escaped.extend(hex_escape(each)),
            _ => escaped.push(each),
        }
    }
    escaped
}

/// `%XX` for a control character.
fn hex_escape(control: char) -> [char; 3] {
    let digit = |value: u32| {
        char::from_digit(value, 16)
            .unwrap_or('0')
            .to_ascii_uppercase()
    };
    [
        '%',
        digit(u32::from(control) / 16),
        digit(u32::from(control) % 16),
    ]
}

fn unescape(path: &str) -> String {
    let mut name = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        name.push_str(before);
        match escaped_control(after) {
            Some(control) if !after.starts_with("25") => {
                name.push(control);
                rest = &after[2..];
            }
            Some(_) => {
                name.push('%');
                rest = &after[2..];
            }
            None => {
                name.push('%');
                rest = after;
            }
        }
    }
    name + rest
}

/// The control character of the next two digits, perhaps after several `25`. (Keys contain no NUL.)
fn escaped_control(text: &str) -> Option<char> {
    let mut rest = text;
    while let Some(shorter) = rest.strip_prefix("25") {
        rest = shorter;
    }
    let digits = rest.get(..2)?;
    let upper = digits
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    let code = u8::from_str_radix(digits, 16).ok().filter(|_| upper)?;
    Some(char::from(code)).filter(|each| each.is_ascii_control() && *each != '\0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_control_characters_are_escaped() {
        let rows = [
            ("plain name.txt", "plain name.txt"),
            ("100%.txt", "100%.txt"),
            ("100%25.txt", "100%25.txt"),
            ("#?\\[]{}~`ü", "#?\\[]{}~`ü"),
            ("a\nb", "a%0Ab"),
            ("a%0Ab", "a%250Ab"),
            ("a%250Ab", "a%25250Ab"),
            ("a%0ab", "a%0ab"),
            ("%25\n", "%25%0A"),
            ("\u{7f}", "%7F"),
            ("%00", "%00"),
        ];
        for (name, path) in rows {
            assert_eq!(escape(name), path, "{name:?}");
            assert_eq!(unescape(path), name, "{path:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "([%025AaF17\n\r\t]|[^/\0]){1,12}") {
            let path = escape(&name);
            prop_assert!(!path.contains(|each: char| each.is_ascii_control()));
            prop_assert_eq!(unescape(&path), name);
        }

        #[test]
        fn every_foreign_path_comes_back(path in "([%025AaF17]|[^/\\x00-\\x1f\\x7f]){1,12}") {
            prop_assert_eq!(escape(&unescape(&path)), path);
        }
    }
}
