//! Versions: stand for the content of an object, derived from a listing or an answer.

use object_store::ObjectMeta;

/// `e_tag` and size of an object; modification time and size if the store lists no `e_tag`.
pub(super) fn of(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => format!("etag:{}:{}", tag.trim_matches('"'), meta.size),
        None => format!(
            "modified:{}:{}",
            meta.last_modified.timestamp_micros(),
            meta.size
        ),
    }
}

/// The `e_tag`, without quotes, and the size that a version tells; none if it tells no `e_tag`.
pub(super) fn tag_and_size(version: &str) -> Option<(&str, u64)> {
    let (told, size) = version.rsplit_once(':')?;
    Some((told.strip_prefix("etag:")?, size.parse().ok()?))
}

/// True if an object has the version, as far as both tell. Headers give modification times in seconds only, and some
/// servers send an `e_tag` in headers but not in listings. A text that is no version of a bucket matches every object.
pub(super) fn matches(meta: &ObjectMeta, version: &str) -> bool {
    let Some((told, size)) = version.rsplit_once(':') else {
        return true;
    };
    let same_size = size == meta.size.to_string();
    if let Some(tag) = told.strip_prefix("etag:") {
        let same = meta
            .e_tag
            .as_deref()
            .map(|mine| mine.trim_matches('"') == tag);
        same_size && same.unwrap_or(true)
    } else if let Some(micros) = told.strip_prefix("modified:") {
        let second = micros
            .parse::<i64>()
            .map(|micros| micros.div_euclid(1_000_000));
        same_size && second.is_ok_and(|second| second == meta.last_modified.timestamp())
    } else {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use object_store::path::Path;

    use super::*;

    /// An object of one byte with these attributes.
    fn meta(e_tag: Option<&str>, modified_micros: u64) -> ObjectMeta {
        let mut meta = ObjectMeta {
            location: Path::from("a"),
            last_modified: "1970-01-01T00:00:00Z".parse().unwrap(),
            size: 1,
            e_tag: e_tag.map(str::to_owned),
            version: None,
        };
        meta.last_modified += Duration::from_micros(modified_micros);
        meta
    }

    #[test]
    fn an_object_is_of_the_version_that_was_listed() {
        let rows = [
            (meta(Some("\"x\""), 0), "etag:x:1", true),
            (meta(Some("\"y\""), 0), "etag:x:1", false),
            (meta(Some("\"x\""), 0), "etag:x:2", false),
            (meta(None, 0), "etag:x:1", true),
            (meta(Some("\"x\""), 3_000_000), "modified:3500000:1", true),
            (meta(Some("\"x\""), 3_000_000), "modified:4000000:1", false),
            (meta(Some("\"x\""), 3_000_000), "modified:3000000:2", false),
            (meta(Some("\"x\""), 0), "blake3:00", true),
        ];
        for (meta, version, expected) in rows {
            assert_eq!(matches(&meta, version), expected, "{version} {meta:?}");
        }
    }

    #[test]
    fn a_version_tells_tag_and_size() {
        assert_eq!(tag_and_size("etag:x:1:7"), Some(("x:1", 7)));
        assert_eq!(tag_and_size("modified:5:7"), None);
        assert_eq!(tag_and_size("etag:x"), None);
    }

    #[test]
    fn an_e_tag_counts_before_a_time() {
        assert_eq!(of(&meta(Some("\"x:1\""), 5)), "etag:x:1:1");
        assert_eq!(of(&meta(None, 5)), "modified:5:1");
        assert!(matches(&meta(Some("\"x:1\""), 5), "etag:x:1:1"));
    }
}
