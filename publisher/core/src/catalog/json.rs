//! The JSON of lists; a contract (`docs/cli.md`). The job record is its own JSON.

use drover_shared::datum::{
    Datum, DatumInput, DatumState, InputKind, Output, ResourceUsage, Verdict,
};
use drover_shared::id::{DatumId, WorkerId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// A datum of a plan.
#[derive(Debug, Serialize)]
pub struct PlannedJson {
    index: u64,
    datum: DatumId,
    inputs: Vec<InputJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl PlannedJson {
    /// The JSON of a datum before its job.
    pub fn new(datum: Datum, why: Option<String>) -> Self {
        Self {
            index: datum.index,
            datum: datum.id,
            inputs: InputJson::all(datum.inputs),
            why,
        }
    }
}

/// A datum of a job.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "DatumWith{O}")]
pub struct DatumJson<O = Output> {
    /// Place in the job, counted from 0.
    index: u64,
    /// Identity of the work.
    datum: DatumId,
    /// State.
    state: DatumState,
    /// Attempts in all; 0 before the datum has ended.
    attempts: u32,
    /// The worker that committed the verdict.
    worker: Option<WorkerId>,
    /// Cause of the failure.
    reason: Option<String>,
    /// Input files and directories.
    inputs: Vec<InputJson>,
    /// Output files.
    outputs: Vec<O>,
    /// Resources that the commands used; absent if no command was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ResourceUsage>,
}

impl DatumJson {
    /// The JSON of a datum with its state and verdict.
    pub fn new(datum: Datum, state: DatumState, verdict: Option<Verdict>) -> Self {
        let shown = Self {
            index: datum.index,
            datum: datum.id,
            state,
            attempts: 0,
            worker: None,
            reason: None,
            inputs: InputJson::all(datum.inputs),
            outputs: Vec::new(),
            usage: None,
        };
        match verdict {
            None => shown,
            Some(verdict) => Self {
                attempts: verdict.attempts,
                worker: Some(verdict.worker),
                reason: verdict.cause.map(|cause| cause.to_string()),
                outputs: verdict.outputs.into_iter().map(without_version).collect(),
                usage: verdict.usage,
                ..shown
            },
        }
    }
}

/// The output without the version of its staged file, which means nothing to users.
fn without_version(output: Output) -> Output {
    Output {
        version: None,
        ..output
    }
}

impl<O> DatumJson<O> {
    /// The same datum with every output mapped by `tell`.
    pub fn map_outputs<T>(self, tell: impl FnMut(O) -> T) -> DatumJson<T> {
        DatumJson {
            index: self.index,
            datum: self.datum,
            state: self.state,
            attempts: self.attempts,
            worker: self.worker,
            reason: self.reason,
            inputs: self.inputs,
            outputs: self.outputs.into_iter().map(tell).collect(),
            usage: self.usage,
        }
    }
}

/// An input of a datum.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "DatumInput")]
struct InputJson {
    /// The directory below `/pfs`.
    name: String,
    /// The folder of the store.
    repo: String,
    /// The path in the repo, beginning with `/`.
    path: String,
    /// File or directory.
    kind: InputKind,
    /// Size in bytes.
    size: u64,
    /// The value of `join_on`.
    join_on: Option<String>,
    /// The value of `group_by`.
    group_by: Option<String>,
}

impl InputJson {
    fn all(inputs: Vec<DatumInput>) -> Vec<Self> {
        inputs.into_iter().map(Self::new).collect()
    }

    fn new(input: DatumInput) -> Self {
        Self {
            name: input.name,
            repo: input.repo,
            path: input.path,
            kind: input.kind,
            size: input.size,
            join_on: input.join_on,
            group_by: input.group_by,
        }
    }
}

/// A line that a command printed.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "LogLine")]
pub struct LogLineJson {
    /// The datum's place in the job.
    pub index: u64,
    /// The attempt, counted from 1; none for `err_cmd`.
    pub attempt: Option<u32>,
    /// When it was printed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub time: Option<Timestamp>,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// The line, without its line break; bytes that are not UTF-8 are replaced.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::{Cause, ContentTag, StageStats, VerdictState};

    use super::*;

    fn datum() -> Datum {
        Datum {
            index: 3,
            id: "000102030405060708090a0b0c0d0e0f".parse().unwrap(),
            inputs: vec![DatumInput {
                name: "photos".to_owned(),
                repo: "photos".to_owned(),
                path: "/a.jpg".to_owned(),
                kind: InputKind::File,
                size: 12,
                join_on: Some("a".to_owned()),
                group_by: None,
                tag: ContentTag::new("blake3:00"),
                leaf: 0,
                version: None,
            }],
        }
    }

    #[test]
    fn a_planned_datum_has_the_shape_of_the_contract() {
        let json = serde_json::to_string(&PlannedJson::new(datum(), None)).unwrap();
        insta::assert_snapshot!(json, @r#"{"index":3,"datum":"000102030405060708090a0b0c0d0e0f","inputs":[{"name":"photos","repo":"photos","path":"/a.jpg","kind":"file","size":12,"join_on":"a","group_by":null}]}"#);
    }

    #[test]
    fn a_datum_of_a_job_has_the_shape_of_the_contract() {
        let verdict = Verdict {
            index: 3,
            datum: datum().id,
            state: VerdictState::Failed,
            attempts: 2,
            worker: "host-1".parse().unwrap(),
            cause: Some(Cause::Exit {
                code: 1,
                last_line: "no such column".to_owned(),
            }),
            staged: String::new(),
            outputs: vec![Output {
                path: "/a.png".to_owned(),
                size: 7,
                hash: None,
                version: None,
            }],
            stats: StageStats::default(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
            usage: None,
            taken_from: None,
        };
        let json =
            serde_json::to_string(&DatumJson::new(datum(), DatumState::Failed, Some(verdict)))
                .unwrap();
        insta::assert_snapshot!(json, @r#"{"index":3,"datum":"000102030405060708090a0b0c0d0e0f","state":"failed","attempts":2,"worker":"host-1","reason":"exit 1: no such column","inputs":[{"name":"photos","repo":"photos","path":"/a.jpg","kind":"file","size":12,"join_on":"a","group_by":null}],"outputs":[{"path":"/a.png","size":7}]}"#);
        let json =
            serde_json::to_string(&DatumJson::new(datum(), DatumState::Queued, None)).unwrap();
        assert!(
            json.contains(r#""attempts":0,"worker":null,"reason":null,"#),
            "{json}"
        );
    }
}
