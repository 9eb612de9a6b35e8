//! Names of things, parsed once at the border and trusted ever after.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde_with::{DeserializeFromStr, SerializeDisplay};
use ulid::{Generator, Overflow, Ulid};

/// A malformed id: the text, the expected kind and the rule.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {rule}")]
pub struct InvalidId {
    /// The expected kind, for example `pipeline name`.
    pub kind: &'static str,
    /// The violated rule.
    pub rule: &'static str,
    /// The text as received.
    pub text: String,
}

/// The identity of a pipeline: 1–63 of `[a-zA-Z0-9_-]`, the first character alphanumeric.
///
/// The name is also used for a folder of the store, for the queues and (in lower case) for the Kubernetes objects.
#[derive(
    Clone,
    Debug,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    DeserializeFromStr,
    SerializeDisplay,
)]
pub struct PipelineName(#[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$"))] String);

impl PipelineName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PipelineName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
        let holds_well = text
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '_' || each == '-');
        if starts_well && holds_well && text.len() <= 63 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                kind: "pipeline name",
                rule: "1 to 63 letters, digits, '-' or '_', the first one a letter or digit",
                text: text.to_owned(),
            })
        }
    }
}

/// The name of a limit of a store: as the name of a pipeline.
#[derive(
    Clone,
    Debug,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    DeserializeFromStr,
    SerializeDisplay,
)]
pub struct LimitName(#[schemars(regex(pattern = "^[a-zA-Z0-9][a-zA-Z0-9_-]{0,62}$"))] String);

impl LimitName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for LimitName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let pipeline = text.parse::<PipelineName>();
        pipeline
            .map(|_| Self(text.to_owned()))
            .map_err(|error| InvalidId {
                kind: "name of a limit",
                ..error
            })
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The identity of a job: a ULID in lower case, so ids sort by the time of creation.
#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    DeserializeFromStr,
    SerializeDisplay,
)]
pub struct JobId(
    #[schemars(with = "String", regex(pattern = "^[0-7][0-9a-hjkmnp-tv-z]{25}$"))] Ulid,
);

impl JobId {
    /// A new id, greater than all ids made by the current process, and than ids made by other processes in an earlier
    /// millisecond.
    pub fn generate() -> Self {
        static GENERATOR: Mutex<Generator> = Mutex::new(Generator::new());
        let mut generator = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let id = generator
            .generate()
            .unwrap_or_else(Overflow::commit_overflow_increment);
        Self(id)
    }

    /// The last eight characters of the id, for people. They are random, so they distinguish all jobs of a store in practice,
    /// and each command takes them.
    pub fn short(self) -> String {
        self.to_string().split_off(18)
    }

    /// The 16 bytes of the id, in sorting order.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_bytes()
    }

    /// The time at which the id was made, to the millisecond.
    pub fn time(self) -> Timestamp {
        let millis = i64::try_from(self.0.timestamp_ms()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// The least id of a millisecond since 1970.
    pub fn first_at(millisecond: u64) -> Self {
        Self(Ulid::from_parts(millisecond, 0))
    }

    /// The id back from [`JobId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Ulid::from_bytes(bytes))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_string().to_ascii_lowercase())
    }
}

impl FromStr for JobId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Ulid::from_string(text).map(Self).map_err(|_| InvalidId {
            kind: "job id",
            rule: "26 letters and digits, as `drover jobs` prints them",
            text: text.to_owned(),
        })
    }
}

/// The identity of a datum's *work*: a hash over its inputs and the transform, 128 bits, shown
/// as 32 hex digits. Same work, same id, on every machine; 128 bits of BLAKE3 keep accidental
/// collisions out of reach (2⁶⁴ datums) at half the memory of the full hash.
#[derive(
    Clone,
    Copy,
    Debug,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    DeserializeFromStr,
    SerializeDisplay,
)]
pub struct DatumId(#[schemars(with = "String", regex(pattern = "^[0-9a-f]{32}$"))] [u8; 16]);

impl DatumId {
    /// The id for a finished hash.
    pub fn from_hash(hash: &blake3::Hash) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Self(bytes)
    }

    /// The 16 bytes of the id.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id back from [`DatumId::to_bytes`].
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for DatumId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl FromStr for DatumId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId {
            kind: "datum id",
            rule: "32 hex digits, as `drover datums` prints them",
            text: text.to_owned(),
        };
        if text.len() != 32 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 16];
        for (byte, at) in bytes.iter_mut().zip((0..32).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

/// The identity of a worker process, unique among all that ever ran: host name and a ULID's tail.
/// 1–128 of `[a-zA-Z0-9_.-]`.
#[derive(
    Clone,
    Debug,
    Eq,
    Hash,
    JsonSchema,
    Ord,
    PartialEq,
    PartialOrd,
    DeserializeFromStr,
    SerializeDisplay,
)]
pub struct WorkerId(#[schemars(regex(pattern = "^[a-zA-Z0-9_.-]{1,128}$"))] String);

impl WorkerId {
    /// A new id on the machine or pod named `host`.
    pub fn generate(host: &str) -> Self {
        let host: String = host
            .chars()
            .filter(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.'))
            .take(100)
            .collect();
        let host = if host.is_empty() { "worker" } else { &host };
        let unique = Ulid::generate().to_string().to_ascii_lowercase();
        Self(format!("{host}-{}", &unique[16..]))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the id that names the machine or the pod, if the id was [generated](Self::generate).
    pub fn host(&self) -> &str {
        self.0.rsplit_once('-').map_or(&self.0, |(host, _)| host)
    }
}

impl FromStr for WorkerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let holds_well = text
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || matches!(each, '-' | '_' | '.'));
        if holds_well && (1..=128).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                kind: "worker id",
                rule: "1 to 128 letters, digits, '-', '_' or '.'",
                text: text.to_owned(),
            })
        }
    }
}

/// The identity of a store, made once: 16 random characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq, DeserializeFromStr, SerializeDisplay)]
pub struct StoreId(String);

impl StoreId {
    /// A new id.
    pub fn generate() -> Self {
        let ulid = Ulid::generate().to_string().to_ascii_lowercase();
        Self(ulid[10..].to_owned())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StoreId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let holds_well = text
            .chars()
            .all(|each| each.is_ascii_lowercase() || each.is_ascii_digit());
        if holds_well && text.len() == 16 {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                kind: "store id",
                rule: "16 lower-case letters and digits",
                text: text.to_owned(),
            })
        }
    }
}

impl fmt::Display for StoreId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Name of a submission, chosen by a script; a repeated submission with the same key submits nothing: 1–200 visible ASCII characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq, DeserializeFromStr, SerializeDisplay)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_visible = text.chars().all(|each| each.is_ascii_graphic());
        if is_visible && (1..=200).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidId {
                kind: "key",
                rule: "1 to 200 visible ASCII characters, without spaces",
                text: text.to_owned(),
            })
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for PipelineName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_back_from_their_own_text() {
        let job = JobId::generate();
        assert_eq!(job.to_string().parse(), Ok(job));
        let datum = DatumId::from_hash(&blake3::hash(b"some work"));
        assert_eq!(datum.to_string().parse(), Ok(datum));
        let worker = WorkerId::generate("host ümlaut");
        assert_eq!(worker.to_string().parse(), Ok(worker));
        let store = StoreId::generate();
        assert_eq!(store.to_string().parse(), Ok(store));
    }

    #[test]
    fn a_key_is_short_and_visible() {
        for text in ["", "a b", "ä", "a\n", &"a".repeat(201)] {
            assert!(text.parse::<IdempotencyKey>().is_err(), "{text:?}");
        }
        let key: IdempotencyKey = "nightly/2026-11-28".parse().unwrap();
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn job_ids_sort_by_the_time_of_creation_even_within_a_millisecond() {
        let jobs: Vec<JobId> = (0..1000).map(|_| JobId::generate()).collect();
        assert!(jobs.is_sorted_by(|earlier, later| earlier < later));
    }

    #[test]
    fn a_pipeline_name_that_could_leave_its_folder_is_refused() {
        for text in [
            "",
            ".",
            "..",
            "a/b",
            "-a",
            "_a",
            "ä",
            "a b",
            &"a".repeat(64),
        ] {
            assert!(
                text.parse::<PipelineName>().is_err(),
                "{text:?} was accepted"
            );
        }
        for text in ["a", "A1", "word-count_2", &"a".repeat(63)] {
            assert!(text.parse::<PipelineName>().is_ok(), "{text:?} was refused");
        }
    }
}
