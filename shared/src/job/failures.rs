//! Failures grouped by cause, for reports about many failed datums.
//!
//! Two failures share a group if their causes have the same kind (and exit code or signal) and their last lines are
//! equal after folding digits, paths and hexadecimal words.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::datum::Cause;
use crate::id::InvalidId;

/// How many groups are told apart; failures of any further kind are only counted.
const MAX_GROUPS: usize = 64;
/// How many datums are named for each group.
const MAX_SAMPLES: usize = 3;
/// The number of groups in a job's one-line reason.
const GROUPS_IN_REASON: usize = 3;
/// Longest pattern of a cause, in characters.
const MAX_LINE: usize = 160;
/// Longest example of a cause, in characters, and the part of it that is the end of its line: that part tells the trouble with
/// a long path.
const MAX_EXAMPLE: usize = 240;
const EXAMPLE_END: usize = 80;

/// The failures of a job, grouped by cause, in bounded memory.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct FailureGroups {
    /// The groups, in order of first occurrence.
    pub groups: Vec<FailureGroup>,
    /// Failures beyond the maximum number of groups.
    #[serde(default)]
    pub others: u64,
}

/// Failures of one cause.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct FailureGroup {
    /// The kind: `exit 1`, `timeout` …
    pub kind: String,
    /// The last line with digits, paths and hexadecimal words folded; empty if there was none.
    pub pattern: String,
    /// The unfolded last line of the first failure.
    pub example: String,
    /// How many.
    pub count: u64,
    /// The first few datums, by index.
    pub samples: Vec<u64>,
}

/// The beginning and the end of a long line.
fn abridged(line: &str) -> String {
    let count = line.chars().count();
    if count <= MAX_EXAMPLE {
        return line.to_owned();
    }
    let begin: String = line.chars().take(MAX_EXAMPLE - EXAMPLE_END - 1).collect();
    let end: String = line.chars().skip(count - EXAMPLE_END).collect();
    format!("{begin}…{end}")
}

/// Short key of a failure group: 16 hex digits, the same in every job.
#[derive(Clone, Copy, Debug, DeserializeFromStr, Eq, JsonSchema, PartialEq, SerializeDisplay)]
pub struct CauseKey(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{16}$"))] u64);

impl CauseKey {
    /// The key of the given cause.
    pub fn of(cause: &Cause) -> Self {
        let (kind, line) = describe(cause);
        Self::new(&kind, &fold(line))
    }

    fn new(kind: &str, pattern: &str) -> Self {
        let hash = blake3::hash(format!("{kind}\n{pattern}").as_bytes());
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hash.as_bytes()[..8]);
        Self(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for CauseKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", self.0)
    }
}

impl FromStr for CauseKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let key = u64::from_str_radix(text, 16).ok().map(Self);
        key.filter(|key| key.to_string() == text)
            .ok_or_else(|| InvalidId {
                kind: "key of failures",
                rule: "16 hex digits, as the failures of a job list them",
                text: text.to_owned(),
            })
    }
}

impl FailureGroup {
    /// The key of this group.
    pub fn key(&self) -> CauseKey {
        CauseKey::new(&self.kind, &self.pattern)
    }
}

impl FailureGroups {
    /// Counts a failure.
    pub fn add(&mut self, index: u64, cause: &Cause) {
        let (kind, line) = describe(cause);
        let pattern = fold(line);
        if let Some(group) = self
            .groups
            .iter_mut()
            .find(|group| group.kind == kind && group.pattern == pattern)
        {
            group.count += 1;
            if group.samples.len() < MAX_SAMPLES {
                group.samples.push(index);
            }
        } else if self.groups.len() < MAX_GROUPS {
            let example = abridged(line.trim());
            self.groups.push(FailureGroup {
                kind,
                pattern,
                example,
                count: 1,
                samples: vec![index],
            });
        } else {
            self.others += 1;
        }
    }

    /// The total number of failures.
    pub fn count(&self) -> u64 {
        self.others + self.groups.iter().map(|group| group.count).sum::<u64>()
    }

    /// The groups, the largest first; groups of equal size in order of first occurrence.
    pub fn by_count(&self) -> Vec<&FailureGroup> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// A one-line summary: `exit 1: 'no such column' (2), timeout (1)`.
    pub fn summary(&self) -> String {
        let groups = self.by_count();
        let mut parts: Vec<String> = groups
            .iter()
            .take(GROUPS_IN_REASON)
            .map(|group| format!("{group} ({})", group.count))
            .collect();
        let told: u64 = groups
            .iter()
            .take(GROUPS_IN_REASON)
            .map(|group| group.count)
            .sum();
        if self.count() > told {
            parts.push(format!("other causes ({})", self.count() - told));
        }
        parts.join(", ")
    }
}

impl fmt::Display for FailureGroup {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The words of one failure name the file at fault, which the pattern masks.
        match self.example.as_str() {
            "" => out.write_str(&self.kind),
            line => write!(out, "{}: '{line}'", self.kind),
        }
    }
}

/// The kind of a failure and the line that tells failures of the same kind apart.
fn describe(cause: &Cause) -> (String, &str) {
    match cause {
        Cause::Exit { code, last_line } => (format!("exit {code}"), last_line),
        Cause::Signal { signal, last_line } => (format!("signal {signal}"), last_line),
        Cause::GaveUp { message } => ("given up".to_owned(), message),
        Cause::Timeout { last_line } => ("timeout".to_owned(), last_line),
        Cause::Start { message } => ("cannot start".to_owned(), message),
        Cause::Input { message } => ("input".to_owned(), message),
        Cause::Output { message } => ("output".to_owned(), message),
        Cause::Undeliverable { message } => ("undeliverable".to_owned(), message),
        Cause::Memory { .. } => ("out of memory".to_owned(), ""),
        Cause::Scratch { .. } => ("out of scratch space".to_owned(), ""),
        Cause::WorkerDied { .. } => (cause.to_string(), ""),
    }
}

/// Replaces the parts of a line that vary from datum to datum: `#` for numbers and hexadecimal words, `…` for paths.
fn fold(line: &str) -> String {
    let words = line
        .split_whitespace()
        .map(fold_word)
        .collect::<Vec<_>>()
        .join(" ");
    words.chars().take(MAX_LINE).collect()
}

/// Folds a word and keeps the punctuation around it.
fn fold_word(word: &str) -> String {
    let is_edge = |each: char| !each.is_alphanumeric() && !matches!(each, '/' | '.' | '_' | '-');
    let core = word.trim_matches(is_edge).trim_end_matches('.');
    let Some(at) = word.find(core).filter(|_| !core.is_empty()) else {
        return word.to_owned();
    };
    let folded = if core.contains('/') && core.len() > 1 {
        "…".to_owned()
    } else if is_hexadecimal(core) {
        "#".to_owned()
    } else {
        fold_digits(core)
    };
    format!("{}{folded}{}", &word[..at], &word[at + core.len()..])
}

/// True for hexadecimal numbers: `0x…`, or at least 8 hexadecimal digits with at least one decimal digit.
fn is_hexadecimal(word: &str) -> bool {
    let digits = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|each| each.is_ascii_hexdigit() || each == '-')
    };
    word.strip_prefix("0x").is_some_and(digits)
        || (word.len() >= 8 && digits(word) && word.contains(|each: char| each.is_ascii_digit()))
}

/// Replaces each run of digits by one `#`.
fn fold_digits(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for each in word.chars() {
        match (each.is_ascii_digit(), folded.ends_with('#')) {
            (true, true) => {}
            (true, false) => folded.push('#'),
            (false, _) => folded.push(each),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(line: &str) -> Cause {
        Cause::Exit {
            code: 1,
            last_line: line.to_owned(),
        }
    }

    #[test]
    fn the_example_of_a_long_line_keeps_its_end() {
        let path = "n".repeat(300);
        let line = format!("sh: 1: cannot create {path}: File name too long");
        let abridged = abridged(&line);
        assert_eq!(abridged.chars().count(), MAX_EXAMPLE);
        assert!(
            abridged.starts_with("sh: 1: cannot create n")
                && abridged.ends_with(": File name too long")
        );
        assert_eq!(super::abridged("short"), "short");
    }

    #[test]
    fn what_varies_from_datum_to_datum_is_folded() {
        let rows = [
            ("no such column", "no such column"),
            ("line 17: syntax error", "line #: syntax error"),
            (
                "cat: /pfs/in/a.txt: No such file or directory",
                "cat: …: No such file or directory",
            ),
            ("open 'data/b.csv' failed", "open '…' failed"),
            ("segfault at 0x7ffe12 ip 00007f3a9c", "segfault at # ip #"),
            ("job 7f9c24e8-3b12-4f6e", "job #"),
            ("added face", "added face"),
            ("", ""),
            ("  spaces \t collapse ", "spaces collapse"),
            ("took 1.25s, retry 3/5", "took #.#s, retry …"),
            ("…—ümlaut 5€", "…—ümlaut #€"),
        ];
        for (line, pattern) in rows {
            assert_eq!(fold(line), pattern, "{line:?}");
        }
    }

    #[test]
    fn failures_that_look_alike_are_one_group_and_the_largest_comes_first() {
        let mut failures = FailureGroups::default();
        failures.add(
            3,
            &Cause::Timeout {
                last_line: String::new(),
            },
        );
        for index in 10..15 {
            failures.add(index, &exit(&format!("row {index}: no such column")));
        }
        assert_eq!(
            failures.summary(),
            "exit 1: 'row 10: no such column' (5), timeout (1)"
        );
        assert_eq!(failures.by_count()[0].samples, [10, 11, 12]);
        assert_eq!(failures.count(), 6);
    }

    #[test]
    fn failures_are_described_in_the_words_of_the_first_one() {
        let mut failures = FailureGroups::default();
        let start = Cause::Start {
            message: "/bin/tool2 does not exist".to_owned(),
        };
        failures.add(0, &exit("row 7: no such column"));
        failures.add(1, &exit("row 8: no such column"));
        failures.add(2, &start);
        failures.add(3, &start);
        assert_eq!(
            failures.summary(),
            "exit 1: 'row 7: no such column' (2), cannot start: '/bin/tool2 does not exist' (2)"
        );
    }

    #[test]
    fn memory_stays_bounded_whatever_the_lines_say() {
        let mut failures = FailureGroups::default();
        for index in 0..1000 {
            let word: String =
                std::iter::repeat_n('x', 1 + usize::try_from(index).unwrap()).collect();
            failures.add(index, &exit(&word));
        }
        assert_eq!(failures.groups.len(), MAX_GROUPS);
        assert_eq!(failures.count(), 1000);
        assert!(
            failures.summary().ends_with("other causes (997)"),
            "{}",
            failures.summary()
        );
    }

    #[test]
    fn every_failure_of_a_group_has_the_key_of_the_group() {
        let mut failures = FailureGroups::default();
        let (one, other) = (exit("row 7: no such column"), exit("row 8: no such column"));
        failures.add(0, &one);
        let key = failures.groups[0].key();
        assert_eq!((CauseKey::of(&one), CauseKey::of(&other)), (key, key));
        assert_ne!(CauseKey::of(&exit("out of memory")), key);
        assert_eq!(key.to_string().parse(), Ok(key));
        for text in ["", "0", "../..", "00000000000000000", "+000000000000001"] {
            assert!(text.parse::<CauseKey>().is_err(), "{text:?} was accepted");
        }
    }

    proptest::proptest! {
        #[test]
        fn folding_never_panics_and_is_stable(line in "\\PC*") {
            let once = fold(&line);
            proptest::prop_assert!(once.chars().count() <= MAX_LINE);
        }
    }
}
