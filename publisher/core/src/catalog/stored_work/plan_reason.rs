//! Reasons for planned work: why a run would process or skip each datum.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use drover_shared::datum::{CodeFile, ContentTag, Datum, VerdictState};
use drover_shared::id::{DatumId, JobId, PipelineName};
use drover_shared::ledger::{DoneIndex, DoneRef, Ledger};
use drover_shared::store::StoreError;
use serde_json::{Map, Value};

use crate::catalog::newest_job;

/// Inputs that are named in a reason.
const MAX_NAMED: usize = 3;

/// Fields of `transform` that are part of the identity of the work.
const IDENTITY_FIELDS: [&str; 9] = [
    "image",
    "cmd",
    "stdin",
    "env",
    "user",
    "working_dir",
    "accept_return_code",
    "datum_batching",
    "placeholders",
];

/// Why a run would process or skip a datum.
#[derive(Clone, Debug, PartialEq)]
pub enum PlanReason {
    /// The same work succeeded in the job.
    Skipped(JobId),
    /// The newest job had no datum with these inputs.
    New,
    /// The content of these inputs differs from the newest job.
    InputsChanged(Vec<String>),
    /// These fields of the spec differ from the newest job.
    CommandChanged(Vec<String>),
    /// Inputs and spec are equal, but these code files differ from the newest job.
    CodeChanged(Vec<String>),
    /// The work failed in the job, for the reason.
    Failed(JobId, String),
    /// The newest job ended before the datum.
    Unfinished(JobId),
    /// The work succeeded in the job, and its success was forgotten or lost.
    Forgotten(JobId),
}

impl PlanReason {
    /// True if the run would skip the datum.
    pub fn is_skipped(&self) -> bool {
        matches!(self, Self::Skipped(_))
    }
}

impl fmt::Display for PlanReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skipped(job) => write!(out, "skipped: done by job {job}"),
            Self::New => out.write_str("new"),
            Self::InputsChanged(inputs) => write!(out, "input changed: {}", listed(inputs)),
            Self::CommandChanged(fields) => write!(out, "command changed: {}", listed(fields)),
            Self::CodeChanged(files) if files.is_empty() => out.write_str("code changed"),
            Self::CodeChanged(files) => write!(out, "code changed: {}", listed(files)),
            Self::Failed(job, reason) => write!(out, "failed in job {job}: {reason}"),
            Self::Unfinished(job) => write!(out, "not finished by job {job}"),
            Self::Forgotten(job) => write!(
                out,
                "to be redone: job {job} did it, its success was forgotten"
            ),
        }
    }
}

fn listed(names: &[String]) -> String {
    let first = names.iter().take(MAX_NAMED).map(String::as_str);
    let more = names.len().saturating_sub(MAX_NAMED);
    let more = (more > 0).then(|| format!("and {more} more"));
    let all: Vec<&str> = first.chain(more.as_deref()).collect();
    all.join(", ")
}

/// A datum of the newest job.
struct Earlier {
    id: DatumId,
    tags: Vec<ContentTag>,
    end: Option<End>,
}

/// End of a datum in the newest job.
enum End {
    Succeeded,
    Failed(String),
}

/// Earlier work of a pipeline: the done index, and the newest job.
#[derive(Default)]
pub struct PlanHistory {
    done: DoneIndex,
    newest: Option<JobId>,
    /// By hash of names and paths of the inputs.
    earlier: HashMap<[u8; 16], Earlier>,
    changed_fields: Vec<String>,
    changed_code: Vec<String>,
}

impl PlanHistory {
    /// Reads the history of a pipeline; `spec` is its normalised spec now, `code` are its code files now.
    pub async fn load(
        ledger: &Ledger,
        pipeline: &PipelineName,
        spec: &Value,
        code: &[CodeFile],
    ) -> Result<Self, StoreError> {
        let done = ledger.written_done_index(pipeline).await?;
        let newest = newest_job(ledger, pipeline).await?;
        let Some(newest) = newest.map(|record| record.id) else {
            return Ok(Self {
                done,
                ..Self::default()
            });
        };
        let mut earlier = HashMap::new();
        for segment in ledger.segments(newest).await? {
            let mut verdicts = ledger
                .verdicts(newest, segment)
                .await?
                .into_iter()
                .peekable();
            for entry in ledger.manifest(newest, segment).await? {
                let datum = entry.datum;
                while verdicts
                    .next_if(|verdict| verdict.index < datum.index)
                    .is_some()
                {}
                let verdict = verdicts.next_if(|verdict| verdict.index == datum.index);
                let end = match verdict {
                    Some(verdict) if verdict.state == VerdictState::Success => Some(End::Succeeded),
                    Some(verdict) => {
                        let cause = verdict.cause.map(|cause| cause.to_string());
                        Some(End::Failed(cause.unwrap_or_else(|| "recovered".to_owned())))
                    }
                    None => entry.done.map(|_| End::Succeeded),
                };
                let (id, place) = (datum.id, place(&datum));
                let tags = datum.inputs.into_iter().map(|input| input.tag).collect();
                earlier.insert(place, Earlier { id, tags, end });
            }
        }
        let before = ledger.spec(newest).await?;
        Ok(Self {
            done,
            newest: Some(newest),
            earlier,
            changed_fields: changed(&before, spec),
            changed_code: changed_code(&ledger.code(newest).await?, code),
        })
    }

    /// The reason for a datum of a plan.
    pub fn reason(&self, datum: &Datum) -> PlanReason {
        if let Some(DoneRef { job, .. }) = self.done.get(datum.id) {
            return PlanReason::Skipped(job);
        }
        let (Some(newest), Some(earlier)) = (self.newest, self.earlier.get(&place(datum))) else {
            return PlanReason::New;
        };
        if earlier.id == datum.id {
            return match &earlier.end {
                Some(End::Succeeded) => PlanReason::Forgotten(newest),
                Some(End::Failed(reason)) => PlanReason::Failed(newest, reason.clone()),
                None => PlanReason::Unfinished(newest),
            };
        }
        let inputs = datum.inputs.iter().zip(&earlier.tags);
        let changed: Vec<String> = inputs
            .filter(|(input, tag)| input.tag != **tag)
            .map(|(input, _)| format!("{}:{}", input.name, input.path))
            .collect();
        match (changed.is_empty(), self.changed_fields.is_empty()) {
            (false, _) => PlanReason::InputsChanged(changed),
            (true, false) => PlanReason::CommandChanged(self.changed_fields.clone()),
            (true, true) => PlanReason::CodeChanged(self.changed_code.clone()),
        }
    }
}

/// Identity of a datum's inputs, whatever their content.
fn place(datum: &Datum) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for input in &datum.inputs {
        for text in [&input.name, &input.path] {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
    }
    let mut place = [0; 16];
    place.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    place
}

/// Names of the code files that were edited, added or taken away.
fn changed_code(before: &[CodeFile], now: &[CodeFile]) -> Vec<String> {
    let tags = |files: &[CodeFile]| -> BTreeMap<String, ContentTag> {
        let files = files.iter();
        files
            .map(|file| (file.name.clone(), file.tag.clone()))
            .collect()
    };
    let (before, now) = (tags(before), tags(now));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let changed = names.into_iter();
    changed
        .filter(|name| before.get(*name) != now.get(*name))
        .cloned()
        .collect()
}

/// The fields of `transform` that differ between two specs and are part of the identity of the work.
fn changed(before: &Value, now: &Value) -> Vec<String> {
    let empty = Map::new();
    let fields = |spec: &Value| spec["transform"].as_object().unwrap_or(&empty).clone();
    let (before, now) = (fields(before), fields(now));
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .filter(|name| IDENTITY_FIELDS.contains(&name.as_str()))
        .filter(|name| before.get(*name) != now.get(*name))
        .map(|name| format!("transform.{name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use drover_shared::datum::{DatumInput, InputKind};
    use serde_json::json;

    use super::*;

    fn datum(id: u8, tag: &str) -> Datum {
        Datum {
            index: 0,
            id: DatumId::from_bytes([id; 16]),
            inputs: vec![DatumInput {
                name: "in".to_owned(),
                repo: "in".to_owned(),
                path: "/a".to_owned(),
                kind: InputKind::File,
                size: 1,
                join_on: None,
                group_by: None,
                tag: ContentTag::new(tag),
                leaf: 0,
                version: None,
            }],
        }
    }

    fn history(end: Option<End>, changed_fields: &[&str]) -> PlanHistory {
        let known = datum(1, "old");
        let earlier = Earlier {
            id: known.id,
            tags: vec![ContentTag::new("old")],
            end,
        };
        PlanHistory {
            newest: Some("01jd9x3k5m7n9p1q3r5s7t9v0w".parse().unwrap()),
            earlier: HashMap::from([(place(&known), earlier)]),
            changed_fields: changed_fields.iter().map(ToString::to_string).collect(),
            changed_code: vec!["s.py".to_owned()],
            ..PlanHistory::default()
        }
    }

    #[test]
    fn every_datum_has_its_reason() {
        let failed = || Some(End::Failed("exit 1".to_owned()));
        let rows = [
            (PlanHistory::default(), datum(1, "old"), "new"),
            (history(None, &[]), datum(2, "new"), "input changed: in:/a"),
            (
                history(None, &["transform.cmd"]),
                datum(2, "old"),
                "command changed: transform.cmd",
            ),
            (history(None, &[]), datum(2, "old"), "code changed: s.py"),
            (
                history(failed(), &[]),
                datum(1, "old"),
                "failed in job 01jd9x3k5m7n9p1q3r5s7t9v0w: exit 1",
            ),
            (
                history(None, &[]),
                datum(1, "old"),
                "not finished by job 01jd9x3k5m7n9p1q3r5s7t9v0w",
            ),
        ];
        for (history, datum, expected) in rows {
            assert_eq!(history.reason(&datum).to_string(), expected);
        }
    }

    #[test]
    fn changed_fields_are_named() {
        let before = json!({ "transform": { "cmd": ["a"], "env": { "X": "1" } } });
        let now = json!({ "transform": { "cmd": ["b"], "image": "i", "err_cmd": ["c"] } });
        let fields = ["transform.cmd", "transform.env", "transform.image"];
        assert_eq!(changed(&before, &now), fields);
    }

    #[test]
    fn code_that_was_edited_added_or_taken_away_is_named() {
        let file = |name: &str, tag: &str| CodeFile {
            name: name.to_owned(),
            tag: ContentTag::new(tag),
            path: PathBuf::new(),
        };
        let before = [file("edited", "1"), file("gone", "1"), file("same", "1")];
        let now = [file("added", "1"), file("edited", "2"), file("same", "1")];
        assert_eq!(changed_code(&before, &now), ["added", "edited", "gone"]);
    }
}
