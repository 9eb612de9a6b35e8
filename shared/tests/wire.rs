//! Messages written by every earlier version of Drover must be decodable, and malformed input must do no harm.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not know for such"
)]

use drover_shared::datum::{
    Cause, CommitUnit, ContentTag, Datum, DatumInput, InputKind, Output, StageStats, Verdict,
    VerdictState,
};
use drover_shared::id::{DatumId, JobId, WorkerId};
use drover_shared::wire::{
    Control, Event, LeaderToken, ManifestRange, Message, Report, SIZE_LIMIT, Task, TaskDatums,
    WireError, decode, encode,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

fn job() -> JobId {
    "01jd3gk6m8q4v5w6x7y8z9a0bc".parse().unwrap()
}

fn worker() -> WorkerId {
    "herd-0123456789".parse().unwrap()
}

fn datum() -> Datum {
    Datum {
        index: 7,
        id: "00112233445566778899aabbccddeeff".parse().unwrap(),
        inputs: vec![DatumInput {
            name: "photos".into(),
            repo: "photos".into(),
            path: "/2026/ü.jpg".into(),
            kind: InputKind::File,
            size: 12,
            join_on: Some("2026".into()),
            group_by: None,
            tag: ContentTag::new("blake3:00"),
            leaf: 0,
            version: None,
        }],
    }
}

fn verdict(state: VerdictState, cause: Option<Cause>) -> Verdict {
    Verdict {
        index: 7,
        datum: datum().id,
        state,
        attempts: 3,
        worker: worker(),
        cause,
        staged: "herd-0123456789.1".into(),
        outputs: vec![Output {
            path: "/a/b".into(),
            size: 5,
            hash: None,
            version: None,
        }],
        stats: StageStats {
            download_bytes: 12,
            upload_bytes: 5,
            download_time_s: 0.25,
            process_time_s: 1.5,
            upload_time_s: 0.125,
            wasted_time_s: 0.0,
        },
        started: "2026-11-23T18:31:55.5Z".parse().unwrap(),
        finished: "2026-11-23T18:31:57Z".parse().unwrap(),
        usage: None,
        taken_from: None,
    }
}

fn report(event: Event) -> Message {
    Message::Reports(vec![Report {
        job: job(),
        redeliveries: 1,
        event,
    }])
}

/// Every message of version 1, by the name of its golden file.
#[expect(clippy::too_many_lines, reason = "a table")]
fn golden() -> Vec<(&'static str, &'static str, Message)> {
    let since: Timestamp = "2026-11-23T18:31:55.5Z".parse().unwrap();
    let failed = verdict(
        VerdictState::Failed,
        Some(Cause::Exit {
            code: 2,
            last_line: "no such column".into(),
        }),
    );
    vec![
        (
            "task-inline",
            include_str!("wire/v1/task-inline.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Inline(vec![datum()]),
                unit: None,
                total: Some(9),
                again: false,
                copy: false,
                store: None,
                term: None,
                trace: None,
            }),
        ),
        (
            "task-copy",
            include_str!("wire/v1/task-copy.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Inline(vec![datum()]),
                unit: None,
                total: Some(9),
                again: true,
                copy: true,
                store: None,
                term: None,
                trace: None,
            }),
        ),
        (
            "task-manifest",
            include_str!("wire/v1/task-manifest.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Manifest(ManifestRange {
                    segment: 8,
                    first: 10,
                    count: 3,
                }),
                unit: None,
                total: None,
                again: false,
                copy: false,
                store: None,
                term: None,
                trace: None,
            }),
        ),
        (
            "task-again",
            include_str!("wire/v1/task-again.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Manifest(ManifestRange {
                    segment: 8,
                    first: 10,
                    count: 3,
                }),
                unit: None,
                total: None,
                again: true,
                copy: false,
                store: None,
                term: None,
                trace: None,
            }),
        ),
        (
            "task-store",
            include_str!("wire/v1/task-store.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Manifest(ManifestRange {
                    segment: 8,
                    first: 10,
                    count: 3,
                }),
                unit: None,
                total: None,
                again: false,
                copy: false,
                store: Some("7q2m4n6p8r0s2t4v".parse().unwrap()),
                term: None,
                trace: None,
            }),
        ),
        (
            "task-term",
            include_str!("wire/v1/task-term.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Inline(vec![datum()]),
                unit: None,
                total: None,
                again: true,
                copy: false,
                store: None,
                term: Some(3),
                trace: None,
            }),
        ),
        (
            "task-set",
            include_str!("wire/v1/task-set.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Manifest(ManifestRange {
                    segment: 8,
                    first: 10,
                    count: 3,
                }),
                unit: Some(CommitUnit::Set(10)),
                total: None,
                again: false,
                copy: false,
                store: None,
                term: None,
                trace: None,
            }),
        ),
        (
            "task-single",
            include_str!("wire/v1/task-single.json"),
            Message::Task(Task {
                job: job(),
                datums: TaskDatums::Manifest(ManifestRange {
                    segment: 8,
                    first: 10,
                    count: 1,
                }),
                unit: Some(CommitUnit::Single),
                total: None,
                again: false,
                copy: false,
                store: None,
                term: None,
                trace: None,
            }),
        ),
        (
            "report-held",
            include_str!("wire/v1/report-held.json"),
            report(Event::Held {
                inquiry: "01jd3gk6m8q4v5w6x7y8z9a0bd".into(),
                worker: worker(),
                datums: [7, 8, 12].into_iter().collect(),
            }),
        ),
        (
            "report-running",
            include_str!("wire/v1/report-running.json"),
            report(Event::Running {
                index: 7,
                attempt: 1,
                worker: worker(),
                since,
                input_bytes: None,
            }),
        ),
        (
            "report-running-input",
            include_str!("wire/v1/report-running-input.json"),
            report(Event::Running {
                index: 7,
                attempt: 1,
                worker: worker(),
                since,
                input_bytes: Some(3_000),
            }),
        ),
        (
            "report-retrying",
            include_str!("wire/v1/report-retrying.json"),
            report(Event::Retrying {
                index: 7,
                attempt: 1,
                worker: worker(),
            }),
        ),
        (
            "report-ended-success",
            include_str!("wire/v1/report-ended-success.json"),
            report(Event::Ended {
                verdict: Box::new(verdict(VerdictState::Success, None)),
                first: true,
            }),
        ),
        (
            "report-ended-failed",
            include_str!("wire/v1/report-ended-failed.json"),
            report(Event::Ended {
                verdict: Box::new(failed),
                first: false,
            }),
        ),
        (
            "report-committed",
            include_str!("wire/v1/report-committed.json"),
            report(Event::Committed {
                index: 7,
                first: true,
            }),
        ),
        (
            "report-let-go",
            include_str!("wire/v1/report-let-go.json"),
            report(Event::Released { worker: worker() }),
        ),
        (
            "reports",
            include_str!("wire/v1/reports.json"),
            Message::Reports(
                [0, 2]
                    .map(|redeliveries| Report {
                        job: job(),
                        redeliveries,
                        event: Event::Released { worker: worker() },
                    })
                    .into(),
            ),
        ),
        (
            "control-stop",
            include_str!("wire/v1/control-stop.json"),
            Message::Control(Control::Stop { job: job() }),
        ),
        (
            "control-committed",
            include_str!("wire/v1/control-committed.json"),
            Message::Control(Control::Committed {
                job: job(),
                datums: [7, 8].into_iter().collect(),
            }),
        ),
        (
            "control-submitted",
            include_str!("wire/v1/control-submitted.json"),
            Message::Control(Control::Submitted {
                pipeline: "thumbs".parse().unwrap(),
                job: job(),
            }),
        ),
        (
            "control-report-held",
            include_str!("wire/v1/control-report-held.json"),
            Message::Control(Control::ReportHeld {
                pipeline: "thumbs".parse().unwrap(),
                job: job(),
                inquiry: "01jd3gk6m8q4v5w6x7y8z9a0bd".into(),
                term: Some(3),
            }),
        ),
        (
            "baton",
            include_str!("wire/v1/baton.json"),
            Message::LeaderToken(LeaderToken {
                from: "herd-0123456789".into(),
            }),
        ),
    ]
}

#[test]
fn what_version_1_wrote_is_understood_for_ever() {
    for (name, text, message) in golden() {
        let decoded = decode(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(decoded, message, "{name}");
    }
}

#[test]
fn version_1_is_written_as_it_was() {
    for (name, text, message) in golden() {
        let golden: Value = serde_json::from_str(text).unwrap();
        let written: Value = serde_json::from_slice(&encode(&message).unwrap()).unwrap();
        assert_eq!(
            written, golden,
            "{name}: a message changed; old processes may not understand it"
        );
    }
}

#[test]
fn unknown_fields_pass() {
    for (name, text, message) in golden() {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["from_the_future"] = json!({"kind": 3, "version": []});
        let decoded = decode(value.to_string().as_bytes());
        assert_eq!(
            decoded.unwrap_or_else(|error| panic!("{name}: {error}")),
            message,
            "{name}"
        );
    }
}

#[test]
fn another_kind_or_version_is_refused_by_name() {
    let rows = [
        (json!({"kind": "task", "version": 2}), "task", 2),
        (
            json!({"version": 1, "job": 0, "kind": "gossip"}),
            "gossip",
            1,
        ),
    ];
    for (message, expected_kind, expected_version) in rows {
        match decode(message.to_string().as_bytes()) {
            Err(WireError::Unknown { kind, version }) => {
                assert_eq!((&*kind, version), (expected_kind, expected_version));
            }
            other => panic!("{message}: {other:?}"),
        }
    }
}

#[test]
fn what_is_not_a_message_is_malformed() {
    for text in [
        "",
        "{}",
        "null",
        "[1]",
        r#"{"kind":"task"}"#,
        r#"{"kind":"task","version":1}"#,
    ] {
        let refused = decode(text.as_bytes());
        assert!(
            matches!(refused, Err(WireError::Malformed { .. })),
            "{text}: {refused:?}"
        );
    }
}

#[test]
fn a_message_over_the_limit_is_neither_made_nor_read() {
    let mut large = datum();
    large.inputs[0].path = "x".repeat(SIZE_LIMIT);
    let task = Task {
        job: job(),
        datums: TaskDatums::Inline(vec![large]),
        unit: None,
        total: None,
        again: false,
        copy: false,
        store: None,
        term: None,
        trace: None,
    };
    let made = encode(&Message::Task(task));
    assert!(matches!(
        made,
        Err(WireError::TooLarge {
            limit: SIZE_LIMIT,
            ..
        })
    ));
    let read = decode(&vec![b' '; SIZE_LIMIT + 1]);
    assert!(matches!(read, Err(WireError::TooLarge { .. })));
}

fn any_text() -> impl Strategy<Value = String> {
    any::<String>()
}

prop_compose! {
    fn any_input()(
        name in any_text(), repo in any_text(), path in any_text(), tag in any_text(),
        dir in any::<bool>(), size in any::<u64>(), leaf in any::<u16>(),
        join_on in any::<Option<String>>(), group_by in any::<Option<String>>(),
        version in any::<Option<String>>(),
    ) -> DatumInput {
        let kind = if dir { InputKind::Dir } else { InputKind::File };
        DatumInput { name, repo, path, kind, size, join_on, group_by, tag: ContentTag::new(tag), leaf, version }
    }
}

prop_compose! {
    fn any_datum()(
        index in any::<u64>(), id in any::<[u8; 16]>(),
        inputs in proptest::collection::vec(any_input(), 0..4),
    ) -> Datum {
        Datum { index, id: DatumId::from_bytes(id), inputs }
    }
}

fn any_cause() -> impl Strategy<Value = Cause> {
    prop_oneof![
        (any::<i32>(), any_text()).prop_map(|(code, last_line)| Cause::Exit { code, last_line }),
        (any::<i32>(), any_text())
            .prop_map(|(signal, last_line)| Cause::Signal { signal, last_line }),
        any_text().prop_map(|last_line| Cause::Timeout { last_line }),
        any_text().prop_map(|message| Cause::Start { message }),
        any_text().prop_map(|message| Cause::Input { message }),
        any_text().prop_map(|message| Cause::Output { message }),
        any::<u32>().prop_map(|times| Cause::WorkerDied { times }),
        any::<(u64, u64, Option<u64>)>().prop_map(|(bytes, input_bytes, most)| Cause::Memory {
            bytes,
            input_bytes,
            most
        }),
    ]
}

fn any_message() -> impl Strategy<Value = Message> {
    let job = any::<[u8; 16]>().prop_map(JobId::from_bytes);
    let datums = prop_oneof![
        proptest::collection::vec(any_datum(), 0..4).prop_map(TaskDatums::Inline),
        any::<[u64; 3]>().prop_map(|[segment, first, count]| {
            TaskDatums::Manifest(ManifestRange {
                segment,
                first,
                count,
            })
        }),
    ];
    let unit = any::<Option<Option<u64>>>()
        .prop_map(|unit| unit.map(|set| set.map_or(CommitUnit::Single, CommitUnit::Set)));
    let task =
        (job.clone(), datums, unit, any::<Option<u64>>()).prop_map(|(job, datums, unit, total)| {
            Message::Task(Task {
                job,
                datums,
                unit,
                total,
                again: false,
                copy: false,
                store: None,
                term: None,
                trace: None,
            })
        });
    let ended = (
        any::<Option<(u32, bool)>>(),
        proptest::option::of(any_cause()),
        any_text(),
    );
    let event = (ended, any::<u64>()).prop_map(|((how, cause, text), index)| match how {
        Some((attempts, first)) => {
            let mut verdict = verdict(VerdictState::Failed, cause);
            (verdict.index, verdict.attempts) = (index, attempts);
            verdict.outputs = vec![Output {
                path: text,
                size: index,
                hash: None,
                version: None,
            }];
            Event::Ended {
                verdict: Box::new(verdict),
                first,
            }
        }
        None => Event::Retrying {
            index,
            attempt: 1,
            worker: worker(),
        },
    });
    let report = (job, any::<u32>(), event).prop_map(|(job, redeliveries, event)| Report {
        job,
        redeliveries,
        event,
    });
    let reports = prop::collection::vec(report, 0..4).prop_map(Message::Reports);
    prop_oneof![task, reports]
}

proptest! {
    #[test]
    fn a_message_survives_the_wire(message in any_message()) {
        prop_assert_eq!(decode(&encode(&message).unwrap()).unwrap(), message);
    }

    #[test]
    fn no_bytes_make_decoding_panic(bytes in any::<Vec<u8>>()) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_damaged_message_does_not_make_decoding_panic(
        message in any_message(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut bytes = encode(&message).unwrap().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes);
        let _ = decode(&bytes[..at]);
    }
}
