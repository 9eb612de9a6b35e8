//! Pure: the action for one path of the output folder.

use drover_shared::store::{Entry, VersionMatch};

use super::durable::RecordedFile;

/// Action for a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum PathAction {
    /// The file is as desired.
    Keep,
    /// The file was touched since Drover wrote the file; a comparison of the bytes decides.
    Compare,
    /// The file must be written, or written again.
    Write,
    /// The file is Drover's and no longer desired.
    Delete,
    /// The file is on record but missing.
    Forget,
    /// The file is foreign and stays.
    Leave,
    /// The file is foreign and occupies a desired path.
    Refuse,
}

/// Decides from the desired content (`made_of`), the record and the file found.
pub(super) fn decide(
    made_of: Option<&str>,
    recorded: Option<&RecordedFile>,
    found: Option<&Entry>,
) -> PathAction {
    match (made_of, recorded, found) {
        (Some(made_of), Some(recorded), Some(found)) if recorded.made_of == made_of => {
            let version = recorded.version.as_deref();
            match version.map(|version| VersionMatch::of(version, &found.version)) {
                Some(VersionMatch::Same) => PathAction::Keep,
                Some(VersionMatch::Touched) => PathAction::Compare,
                Some(VersionMatch::Other) | None => PathAction::Write,
            }
        }
        (Some(_), None, Some(_)) => PathAction::Refuse,
        (Some(_), _, _) => PathAction::Write,
        (None, Some(_), Some(_)) => PathAction::Delete,
        (None, None, Some(_)) => PathAction::Leave,
        (None, _, None) => PathAction::Forget,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "rows also hold `None`")]
    fn recorded(made_of: &str, version: Option<&str>) -> Option<RecordedFile> {
        let version = version.map(str::to_owned);
        Some(RecordedFile {
            path: "/a".to_owned(),
            made_of: made_of.to_owned(),
            version,
            pieces: Vec::new(),
        })
    }

    #[expect(clippy::unnecessary_wraps, reason = "rows also hold `None`")]
    fn found(version: &str) -> Option<Entry> {
        Some(Entry {
            path: "/a".to_owned(),
            size: 1,
            version: version.to_owned(),
        })
    }

    #[test]
    fn the_three_views_of_a_path_decide_what_happens_to_it() {
        let rows = [
            (
                "unchanged",
                Some("x"),
                recorded("x", Some("1")),
                found("1"),
                PathAction::Keep,
            ),
            (
                "recorded by an older Drover",
                Some("x"),
                recorded("x", Some("1-a-5")),
                found("1-a-5-c"),
                PathAction::Keep,
            ),
            (
                "touched",
                Some("x"),
                recorded("x", Some("1-a-5-c")),
                found("1-a-5-d"),
                PathAction::Compare,
            ),
            ("new", Some("x"), None, None, PathAction::Write),
            (
                "made of something else now",
                Some("y"),
                recorded("x", Some("1")),
                found("1"),
                PathAction::Write,
            ),
            (
                "deleted by somebody",
                Some("x"),
                recorded("x", Some("1")),
                None,
                PathAction::Write,
            ),
            (
                "altered by somebody",
                Some("x"),
                recorded("x", Some("1")),
                found("2"),
                PathAction::Write,
            ),
            (
                "cut off while it changed",
                Some("x"),
                recorded("x", None),
                found("1"),
                PathAction::Write,
            ),
            (
                "vanished input",
                None,
                recorded("x", Some("1")),
                found("1"),
                PathAction::Delete,
            ),
            (
                "vanished input, altered file",
                None,
                recorded("x", Some("1")),
                found("2"),
                PathAction::Delete,
            ),
            (
                "vanished input, cut off",
                None,
                recorded("x", None),
                found("1"),
                PathAction::Delete,
            ),
            (
                "vanished with its file",
                None,
                recorded("x", Some("1")),
                None,
                PathAction::Forget,
            ),
            ("somebody else's", None, None, found("1"), PathAction::Leave),
            (
                "somebody else's, in the way",
                Some("x"),
                None,
                found("1"),
                PathAction::Refuse,
            ),
        ];
        for (name, made_of, recorded, found, expected) in rows {
            assert_eq!(
                decide(made_of, recorded.as_ref(), found.as_ref()),
                expected,
                "{name}"
            );
        }
    }
}
