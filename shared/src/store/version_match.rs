//! Pure: comparison of two versions of a key.

/// Comparison of a recorded version with a listed version, from the surest result.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum VersionMatch {
    /// The bytes are the recorded ones.
    Same,
    /// The same file was changed: a new link, new rights, or new bytes with the time of modification put back.
    Touched,
    /// Another file, or one that was written to.
    Other,
}

impl VersionMatch {
    /// Compares versions of files or objects. A version that an older Drover recorded for a file has no change time; it
    /// tells as much as that Drover knew.
    pub fn of(recorded: &str, found: &str) -> Self {
        if recorded == found {
            return Self::Same;
        }
        let (Some((before, _)), Some((now, _))) =
            (split_change_time(recorded), split_change_time(found))
        else {
            let is_old = recorded.split('-').count() == 3;
            let without = split_change_time(found).map(|(version, _)| version);
            return if is_old && without == Some(recorded) {
                Self::Same
            } else {
                Self::Other
            };
        };
        if before == now {
            Self::Touched
        } else {
            Self::Other
        }
    }
}

/// Splits the version of a file: inode, time of modification and size; and the change time.
fn split_change_time(version: &str) -> Option<(&str, &str)> {
    let is_files = version.split('-').count() == 4
        && version
            .bytes()
            .all(|each| each.is_ascii_hexdigit() || each == b'-');
    is_files.then(|| version.rsplit_once('-')).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_change_time_tells_a_touched_file_from_an_unchanged_one() {
        use VersionMatch::{Other, Same, Touched};
        let rows = [
            ("1-a-5-c", "1-a-5-c", Same),
            ("1-a-5-c", "1-a-5-d", Touched),
            ("1-a-5-c", "2-a-5-c", Other),
            ("1-a-5-c", "1-b-5-d", Other),
            ("1-a-5", "1-a-5-c", Same),
            ("1-a-5", "1-a-50-c", Other),
            ("1-a-5", "1-b-5-c", Other),
            ("\"tag-2\"-5", "\"tag-2\"-5", Same),
            ("\"tag-2\"-5", "\"tag-3\"-5", Other),
            ("", "1-a-5-c", Other),
        ];
        for (recorded, found, expected) in rows {
            assert_eq!(
                VersionMatch::of(recorded, found),
                expected,
                "{recorded} {found}"
            );
        }
    }
}
