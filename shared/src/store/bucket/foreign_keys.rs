//! Keys that `object_store` refuses, or silently changes, such as `in/2026/`, `a//b` or `a/../b`.
//!
//! Any client may put such an object into a bucket, and `object_store` then fails the whole listing. So every listing
//! is rewritten on arrival: such a key is [encoded](encode) into a path that `object_store` accepts, and the walk
//! [decodes](decode) the path and decides what to do with the object. Drover never writes such a key.

use object_store::path::Path;

/// Begins an escape: a noncharacter of Unicode, which no text uses.
const MARK: char = '\u{FDD0}';

/// The path that stands for a key in a listing; none if the key needs no encoding.
pub(super) fn encode(key: &str) -> Option<String> {
    let is_plain = !key.contains(MARK) && Path::parse(key).is_ok_and(|path| path.as_ref() == key);
    if is_plain {
        return None;
    }
    let segments = key.split('/').map(encode_segment);
    Some(segments.collect::<Vec<_>>().join("/"))
}

fn encode_segment(segment: &str) -> String {
    if matches!(segment, "" | "." | "..") {
        return format!("{MARK}_{segment}");
    }
    let mut encoded = String::with_capacity(segment.len());
    for each in segment.chars() {
        if each.is_ascii_control() || each == MARK {
            encoded.extend([MARK, '#']);
            encoded.push_str(&u32::from(each).to_string());
            encoded.push(';');
        } else {
            encoded.push(each);
        }
    }
    encoded
}

/// The key that a path stands for; none if the path is the key.
pub(super) fn decode(path: &str) -> Option<String> {
    if !path.contains(MARK) {
        return None;
    }
    let mut key = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, escape)) = rest.split_once(MARK) {
        key.push_str(before);
        rest = match escape
            .strip_prefix('#')
            .and_then(|code| code.split_once(';'))
        {
            Some((code, after)) => {
                key.extend(code.parse().ok().and_then(char::from_u32));
                after
            }
            None => escape.strip_prefix('_').unwrap_or(escape),
        };
    }
    Some(key + rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_keys_that_object_store_refuses_or_changes_are_encoded() {
        for key in ["a", "in/a b/c%0A", "ümläut/日本語", ".../-"] {
            assert_eq!(encode(key), None, "{key}");
            assert_eq!(decode(key), None, "{key}");
        }
        for key in ["in/2026/", "/a", "a//b", "a/./b", "a/..", "tab\t", "/"] {
            assert!(encode(key).is_some(), "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn every_key_comes_back_and_object_store_accepts_the_path(
            key in "([/.#;_0-9a\u{0}\n\u{7f}\u{fdd0}]|[^/]){0,12}"
        ) {
            if let Some(path) = encode(&key) {
                let parsed = Path::parse(&path).unwrap();
                prop_assert_eq!(parsed.as_ref(), &path);
                prop_assert_eq!(decode(&path), Some(key));
            } else {
                prop_assert_eq!(decode(&key), None);
            }
        }
    }
}
