//! Values of flags with a syntax of their own.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::str::FromStr;
use std::time::Duration;

use drover_shared::datum::{Datum, DatumInput};
pub(in crate::args) use drover_shared::units::{duration, size};

/// Output format.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `REPO=DIR|URL`: read a repo from another place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InputOverride {
    /// The repo as the spec names it.
    pub repo: String,
    /// Folder or URL to read from instead.
    pub place: String,
}

impl FromStr for InputOverride {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((repo, place)) if !repo.is_empty() && !place.is_empty() => Ok(Self {
                repo: repo.to_owned(),
                place: place.to_owned(),
            }),
            _ => Err("write REPO=DIR or REPO=URL, for example photos=/data/photos"),
        }
    }
}

/// Address of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Http {
    /// No page.
    Off,
    /// An address; port 0 takes a free port.
    At(SocketAddr),
}

impl FromStr for Http {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match (text, text.parse()) {
            ("none", _) => Ok(Self::Off),
            (_, Ok(address)) => Ok(Self::At(address)),
            (_, Err(_)) => {
                Err("write an IP address and a port, for example 127.0.0.1:7600, or none")
            }
        }
    }
}

/// A datum on the command line: an index in the job, a prefix of an id, or the path of an input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DatumChoice {
    /// Index in the job, counted from 0.
    Index(u64),
    /// Prefix of an id in lower case; at least six digits.
    Id(String),
    /// Path of an input, or its last components.
    Path(String),
}

impl DatumChoice {
    /// True if the datum matches.
    pub fn matches(&self, datum: &Datum) -> bool {
        match self {
            Self::Index(wanted) => datum.index == *wanted,
            Self::Id(prefix) => datum.id.to_string().starts_with(prefix.as_str()),
            Self::Path(path) => datum.inputs.iter().any(|input| is_named(input, path)),
        }
    }
}

/// True if a path names an input: with or without its repo and directories, or with directories above the repo.
fn is_named(input: &DatumInput, path: &str) -> bool {
    let full = format!("/{}{}", input.repo, input.path);
    let wanted = format!("/{}", path.trim_start_matches("./").trim_matches('/'));
    full.ends_with(&wanted) || wanted.ends_with(&full)
}

impl fmt::Display for DatumChoice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(out),
            Self::Id(text) | Self::Path(text) => out.write_str(text),
        }
    }
}

impl FromStr for DatumChoice {
    type Err = &'static str;

    /// A text of 1 to 18 decimal digits is an index, unless it is long enough to be a whole id. A text of 6 to 32 hexadecimal
    /// digits is an id, every other one a path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id =
            (6..=32).contains(&text.len()) && text.bytes().all(|each| each.is_ascii_hexdigit());
        match text.parse() {
            Ok(index) if text.len() < 19 => Ok(Self::Index(index)),
            _ if is_id => Ok(Self::Id(text.to_ascii_lowercase())),
            _ if text.trim_matches(['.', '/']).is_empty() => Err(
                "give an index or at least six hex digits of a datum id, as `drover datums` prints them, or the path of an input",
            ),
            _ => Ok(Self::Path(text.to_owned())),
        }
    }
}

/// A number of concurrent datums, from 1 up.
pub(in crate::args) fn concurrency(text: &str) -> Result<NonZeroU16, String> {
    text.parse().map_err(|_| {
        "give a number from 1 to 65535; leave the flag out for one datum a CPU".to_owned()
    })
}

/// A number from 0 up.
pub(in crate::args) fn whole_number<Number: FromStr>(text: &str) -> Result<Number, String> {
    text.parse()
        .map_err(|_| "give a whole number, 0 or more".to_owned())
}

/// A number from 1 up.
pub(in crate::args) fn positive_number(text: &str) -> Result<NonZeroU32, String> {
    text.parse()
        .map_err(|_| "give a whole number, 1 or more".to_owned())
}

/// A duration above zero.
pub(in crate::args) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be more than zero; leave the flag out for no limit".to_owned()),
        positive => Ok(positive),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::{ContentTag, InputKind};

    use super::*;

    #[test]
    fn a_length_of_time_that_is_none_is_refused() {
        assert_eq!(positive_duration("5m"), Ok(Duration::from_mins(5)));
        assert!(positive_duration("0s").is_err());
    }

    #[test]
    fn a_datum_is_named_by_its_index_or_by_the_beginning_of_its_id() {
        assert_eq!("17".parse(), Ok(DatumChoice::Index(17)));
        assert_eq!("123456".parse(), Ok(DatumChoice::Index(123_456)));
        assert_eq!(
            "00AAbbcc".parse(),
            Ok(DatumChoice::Id("00aabbcc".to_owned()))
        );
        let digits = "12345678901234567890123456789012";
        assert_eq!(digits.parse(), Ok(DatumChoice::Id(digits.to_owned())));
        for text in ["", "/", ".", "./"] {
            assert!(
                text.parse::<DatumChoice>().is_err(),
                "{text:?} was accepted"
            );
        }
    }

    #[test]
    fn a_datum_is_named_by_the_path_of_an_input_or_its_end() {
        let input = DatumInput {
            name: "in".to_owned(),
            repo: "photos".to_owned(),
            path: "/2026/a b.jpg".to_owned(),
            kind: InputKind::File,
            size: 1,
            join_on: None,
            group_by: None,
            tag: ContentTag::new("1"),
            leaf: 0,
            version: None,
        };
        let rows = [
            ("a b.jpg", true),
            ("/a b.jpg", true),
            ("2026/a b.jpg", true),
            ("photos/2026/a b.jpg", true),
            ("./photos/2026/a b.jpg", true),
            ("/home/ann/photos/2026/a b.jpg", true),
            ("b.jpg", false),
            ("2025/a b.jpg", false),
            ("/home/ann/drafts/2026/a b.jpg", false),
        ];
        for (path, expected) in rows {
            assert_eq!(is_named(&input, path), expected, "{path}");
        }
    }

    #[test]
    fn an_input_override_names_a_repo_and_a_place() {
        let parsed: InputOverride = "photos=s3://bucket/a=b".parse().unwrap();
        assert_eq!(
            (parsed.repo.as_str(), parsed.place.as_str()),
            ("photos", "s3://bucket/a=b")
        );
        for text in ["photos", "=x", "photos=", ""] {
            assert!(
                text.parse::<InputOverride>().is_err(),
                "{text:?} was accepted"
            );
        }
    }
}
