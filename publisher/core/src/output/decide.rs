//! Pure: what is to happen to one path of the output folder.

use drover_shared::store::Entry;

use super::record::Recorded;

/// What is to happen to a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// It is as it should be.
    Keep,
    /// It is to be made, or made again.
    Write,
    /// It is ours and no longer wanted.
    Delete,
    /// It is ours on record only.
    Forget,
    /// It is somebody else's and stays.
    Leave,
    /// It is somebody else's, and stands where a file of ours must go.
    Refuse,
}

/// Decides from what is wanted (what the file is made of), what is on record as ours, and what was found.
pub(super) fn decide(
    made_of: Option<&str>,
    recorded: Option<&Recorded>,
    found: Option<&Entry>,
) -> Action {
    match (made_of, recorded, found) {
        (Some(made_of), Some(recorded), Some(found))
            if is_as_recorded(made_of, recorded, found) =>
        {
            Action::Keep
        }
        (Some(_), None, Some(_)) => Action::Refuse,
        (Some(_), _, _) => Action::Write,
        (None, Some(_), Some(_)) => Action::Delete,
        (None, None, Some(_)) => Action::Leave,
        (None, _, None) => Action::Forget,
    }
}

fn is_as_recorded(made_of: &str, recorded: &Recorded, found: &Entry) -> bool {
    recorded.made_of == made_of && recorded.version.as_ref() == Some(&found.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it stands beside `None` in the rows"
    )]
    fn recorded(made_of: &str, version: Option<&str>) -> Option<Recorded> {
        let version = version.map(str::to_owned);
        Some(Recorded {
            path: "/a".to_owned(),
            made_of: made_of.to_owned(),
            version,
        })
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "it stands beside `None` in the rows"
    )]
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
                Action::Keep,
            ),
            ("new", Some("x"), None, None, Action::Write),
            (
                "made of something else now",
                Some("y"),
                recorded("x", Some("1")),
                found("1"),
                Action::Write,
            ),
            (
                "deleted by somebody",
                Some("x"),
                recorded("x", Some("1")),
                None,
                Action::Write,
            ),
            (
                "altered by somebody",
                Some("x"),
                recorded("x", Some("1")),
                found("2"),
                Action::Write,
            ),
            (
                "cut off while it changed",
                Some("x"),
                recorded("x", None),
                found("1"),
                Action::Write,
            ),
            (
                "vanished input",
                None,
                recorded("x", Some("1")),
                found("1"),
                Action::Delete,
            ),
            (
                "vanished input, altered file",
                None,
                recorded("x", Some("1")),
                found("2"),
                Action::Delete,
            ),
            (
                "vanished input, cut off",
                None,
                recorded("x", None),
                found("1"),
                Action::Delete,
            ),
            (
                "vanished with its file",
                None,
                recorded("x", Some("1")),
                None,
                Action::Forget,
            ),
            ("somebody else's", None, None, found("1"), Action::Leave),
            (
                "somebody else's, in the way",
                Some("x"),
                None,
                found("1"),
                Action::Refuse,
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
