//! The JSON of lists; a contract (`docs/cli.md`). The job record is its own JSON.

use drover_shared::datum::{Datum, DatumInput, DatumState, InputKind, Output, Verdict};
use drover_shared::id::{DatumId, WorkerId};
use jiff::Timestamp;
use serde::Serialize;

/// A datum of a plan.
#[derive(Debug, Serialize)]
pub struct PlannedJson<'a> {
    index: u64,
    datum: DatumId,
    inputs: Vec<InputJson<'a>>,
}

impl<'a> PlannedJson<'a> {
    /// The JSON of a datum that is not run yet.
    pub fn new(datum: &'a Datum) -> Self {
        Self {
            index: datum.index,
            datum: datum.id,
            inputs: InputJson::all(datum),
        }
    }
}

/// A datum of a job.
#[derive(Debug, Serialize)]
pub struct DatumJson<'a> {
    index: u64,
    datum: DatumId,
    state: DatumState,
    attempts: u32,
    worker: Option<&'a WorkerId>,
    reason: Option<String>,
    inputs: Vec<InputJson<'a>>,
    outputs: &'a [Output],
}

impl<'a> DatumJson<'a> {
    /// The JSON of a datum, with what became of it.
    pub fn new(datum: &'a Datum, state: DatumState, verdict: Option<&'a Verdict>) -> Self {
        let cause = verdict.and_then(|verdict| verdict.cause.as_ref());
        Self {
            index: datum.index,
            datum: datum.id,
            state,
            attempts: verdict.map_or(0, |verdict| verdict.attempts),
            worker: verdict.map(|verdict| &verdict.worker),
            reason: cause.map(ToString::to_string),
            inputs: InputJson::all(datum),
            outputs: verdict.map_or(&[], |verdict| &verdict.outputs),
        }
    }
}

/// An input of a datum.
#[derive(Debug, Serialize)]
struct InputJson<'a> {
    name: &'a str,
    repo: &'a str,
    path: &'a str,
    kind: InputKind,
    size: u64,
    join_on: Option<&'a str>,
    group_by: Option<&'a str>,
}

impl<'a> InputJson<'a> {
    fn all(datum: &'a Datum) -> Vec<Self> {
        datum.inputs.iter().map(Self::new).collect()
    }

    fn new(input: &'a DatumInput) -> Self {
        Self {
            name: &input.name,
            repo: &input.repo,
            path: &input.path,
            kind: input.kind,
            size: input.size,
            join_on: input.join_on.as_deref(),
            group_by: input.group_by.as_deref(),
        }
    }
}

/// A line that a command printed.
#[derive(Debug, Serialize)]
pub struct LogLineJson<'a> {
    /// The datum's place in the job.
    pub index: u64,
    /// The attempt, counted from 1; none for `err_cmd`.
    pub attempt: Option<u32>,
    /// When it was printed.
    pub time: Option<Timestamp>,
    /// `stdout` or `stderr`.
    pub stream: &'a str,
    /// The line, without its line break; bytes that are not UTF-8 are replaced.
    pub text: &'a str,
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
            }],
        }
    }

    #[test]
    fn a_planned_datum_has_the_shape_of_the_contract() {
        let json = serde_json::to_string(&PlannedJson::new(&datum())).unwrap();
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
            }],
            stats: StageStats::default(),
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
        };
        let datum = datum();
        let json =
            serde_json::to_string(&DatumJson::new(&datum, DatumState::Failed, Some(&verdict)))
                .unwrap();
        insta::assert_snapshot!(json, @r#"{"index":3,"datum":"000102030405060708090a0b0c0d0e0f","state":"failed","attempts":2,"worker":"host-1","reason":"exit 1: no such column","inputs":[{"name":"photos","repo":"photos","path":"/a.jpg","kind":"file","size":12,"join_on":"a","group_by":null}],"outputs":[{"path":"/a.png","size":7}]}"#);
        let json =
            serde_json::to_string(&DatumJson::new(&datum, DatumState::Queued, None)).unwrap();
        assert!(
            json.contains(r#""attempts":0,"worker":null,"reason":null,"#),
            "{json}"
        );
    }
}
