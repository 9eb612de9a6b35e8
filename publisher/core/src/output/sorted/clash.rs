//! Pure: detects paths used both as file and as directory.

/// Whose a path is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    /// A file of Drover, or to be one.
    Drover,
    /// A file that stays as it is.
    Foreign,
}

/// Consumes paths in byte order. Paths such as `/a.b` may sort between `/a` and `/a/b`.
#[derive(Debug, Default)]
pub(crate) struct PathClashes {
    /// Earlier paths that are prefixes of the last path, each a prefix of the next.
    trail: Vec<(String, Owner)>,
}

impl PathClashes {
    /// Adds the next path; returns an earlier path that would have to be both file and directory, one of Drover if there
    /// are several.
    pub(crate) fn note(&mut self, path: &str, owner: Owner) -> Option<(&str, Owner)> {
        while self
            .trail
            .last()
            .is_some_and(|(last, _)| !path.starts_with(last.as_str()))
        {
            self.trail.pop();
        }
        self.trail.push((path.to_owned(), owner));
        let (_, before) = self.trail.split_last()?;
        before
            .iter()
            .filter(|(file, _)| path.as_bytes().get(file.len()) == Some(&b'/'))
            .map(|(file, owner)| (file.as_str(), *owner))
            .min_by_key(|(_, owner)| *owner == Owner::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_where_a_directory_must_be_is_found_across_its_neighbours() {
        let rows: [(&[&str], Option<&str>); 5] = [
            (&["/a", "/a/b"], Some("/a")),
            (&["/a", "/a-", "/a.b", "/a/b/c"], Some("/a")),
            (&["/a/b", "/a/b/c", "/a/c"], Some("/a/b")),
            (&["/a", "/ab", "/ab.c", "/b/a"], None),
            (&["/a.b", "/a/b"], None),
        ];
        for (paths, expected) in rows {
            let mut clashes = PathClashes::default();
            let found = paths.iter().find_map(|path| {
                clashes
                    .note(path, Owner::Drover)
                    .map(|(file, _)| file.to_owned())
            });
            assert_eq!(found.as_deref(), expected, "{paths:?}");
        }
    }

    proptest! {
        #[test]
        fn it_finds_a_clash_exactly_when_there_is_one(
            paths in proptest::collection::btree_set("(/[ab.]{1,2}){1,3}", 0..8),
        ) {
            let naive = paths.iter().any(|file| paths.iter().any(|path| path.starts_with(&format!("{file}/"))));
            let mut clashes = PathClashes::default();
            let found = paths.iter().any(|path| clashes.note(path, Owner::Drover).is_some());
            prop_assert_eq!(found, naive);
        }
    }
}
