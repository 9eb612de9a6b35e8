//! The placeholders of a command, for specs with `transform.placeholders`.
//!
//! | written | means |
//! |---|---|
//! | `{}` | path of the first input |
//! | `{/}` | its last segment |
//! | `{//}` | what comes before the last segment |
//! | `{.}` | the path without its extension |
//! | `{/.}` | the last segment without its extension |
//! | `{rel}` | the path of the first input below the part of its glob before the first wildcard |
//! | `{#}` | the datum's index, from 0 |
//! | `{out}` | the output directory |
//! | `{NAME}` | path of the input called NAME |
//!
//! Other text in braces is left unchanged.

use std::path::Path;

use drover_shared::datum::Datum;

use super::environment::input_path;

/// The values of the placeholders for one datum.
pub(super) struct Placeholders<'a> {
    pub(super) datum: &'a Datum,
    pub(super) pfs: &'a Path,
    /// The directory of the first input's glob before the first wildcard; empty for the root.
    pub(super) glob_directory: &'a str,
}

impl Placeholders<'_> {
    /// The argument with all placeholders replaced, from left to right; values are not expanded again.
    pub(super) fn fill(&self, argument: &str) -> String {
        let mut filled = String::with_capacity(argument.len());
        let mut rest = argument;
        while let Some((before, opened)) = rest.split_once('{') {
            filled.push_str(before);
            let found = opened
                .split_once('}')
                .and_then(|(name, after)| Some((self.value(name)?, after)));
            if let Some((value, after)) = found {
                filled.push_str(&value);
                rest = after;
            } else {
                filled.push('{');
                rest = opened;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn value(&self, name: &str) -> Option<String> {
        let first = || {
            let input = self.datum.inputs.first()?;
            Some(input_path(self.pfs, input))
        };
        match name {
            "" => first(),
            "/" => first().map(|path| last_segment(&path).to_owned()),
            "//" => first().map(|path| directory(&path).to_owned()),
            "." => first().map(|path| without_extension(&path).to_owned()),
            "/." => first().map(|path| without_extension(last_segment(&path)).to_owned()),
            "#" => Some(self.datum.index.to_string()),
            "out" => Some(self.pfs.join("out").display().to_string()),
            name => match self.datum.inputs.iter().rfind(|input| input.name == name) {
                Some(input) => Some(input_path(self.pfs, input)),
                None if name == "rel" => self.relative(),
                None => None,
            },
        }
    }

    /// The path of the first input below the fixed part of its glob.
    fn relative(&self) -> Option<String> {
        let path = &self.datum.inputs.first()?.path;
        let below = path.strip_prefix(self.glob_directory).unwrap_or(path);
        Some(below.trim_start_matches('/').to_owned())
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The path without its extension. A leading dot of a name does not begin an extension.
fn without_extension(path: &str) -> &str {
    let name = last_segment(path);
    match name.rfind('.') {
        Some(dot) if dot > 0 => &path[..path.len() - name.len() + dot],
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::datum_of;

    #[test]
    fn placeholders_stand_for_the_datum() {
        let rows = [
            ("{}", "/pfs/photos/2026/a.b.jpg"),
            ("{/}", "a.b.jpg"),
            ("{//}", "/pfs/photos/2026"),
            ("{.}", "/pfs/photos/2026/a.b"),
            ("{/.}", "a.b"),
            ("{rel}", "2026/a.b.jpg"),
            ("{#}", "7"),
            ("{out}/{/.}.png", "/pfs/out/a.b.png"),
            ("{labels}", "/pfs/labels/.hidden"),
            (
                "{photos}:{labels}",
                "/pfs/photos/2026/a.b.jpg:/pfs/labels/.hidden",
            ),
            ("{unknown} {", "{unknown} {"),
            ("{{}}", "{/pfs/photos/2026/a.b.jpg}"),
            ("a}b", "a}b"),
            ("", ""),
            ("{ü{}", "{ü/pfs/photos/2026/a.b.jpg"),
        ];
        let datum = datum_of(7, &[("photos", "/2026/a.b.jpg"), ("labels", "/.hidden")]);
        let placeholders = Placeholders {
            datum: &datum,
            pfs: Path::new("/pfs"),
            glob_directory: "",
        };
        for (argument, expected) in rows {
            assert_eq!(placeholders.fill(argument), expected, "{argument}");
        }
    }

    #[test]
    fn a_relative_path_begins_after_the_fixed_part_of_the_glob() {
        let rows = [
            ("", "/2026/07/a.csv", "2026/07/a.csv"),
            ("/2026", "/2026/07/a.csv", "07/a.csv"),
            ("/2026/07", "/2026/07/a.csv", "a.csv"),
        ];
        for (glob_directory, path, expected) in rows {
            let datum = datum_of(0, &[("in", path)]);
            let placeholders = Placeholders {
                datum: &datum,
                pfs: Path::new("/pfs"),
                glob_directory,
            };
            assert_eq!(placeholders.fill("{rel}"), expected, "{glob_directory}");
        }
    }

    #[test]
    fn an_input_named_rel_keeps_its_placeholder() {
        let datum = datum_of(0, &[("rel", "/a")]);
        let placeholders = Placeholders {
            datum: &datum,
            pfs: Path::new("/pfs"),
            glob_directory: "",
        };
        assert_eq!(placeholders.fill("{rel}"), "/pfs/rel/a");
    }

    #[test]
    fn values_are_not_expanded_again() {
        let datum = datum_of(0, &[("in", "/{#}.txt")]);
        let placeholders = Placeholders {
            datum: &datum,
            pfs: Path::new("/pfs"),
            glob_directory: "",
        };
        assert_eq!(placeholders.fill("{/}"), "{#}.txt");
    }

    #[test]
    fn names_without_an_extension_stay_whole() {
        let rows = [
            ("/a/.b", "/a/.b"),
            ("/a.b/c", "/a.b/c"),
            ("/a/b.", "/a/b"),
            ("x.y", "x"),
        ];
        for (path, expected) in rows {
            assert_eq!(without_extension(path), expected, "{path}");
        }
    }
}
