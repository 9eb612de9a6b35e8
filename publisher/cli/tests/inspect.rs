//! Looking at jobs through the `drover` command, over records written by hand.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use drover_shared::datum::{
    Cause, ContentTag, Datum, DatumInput, InputKind, StageStats, Verdict, VerdictState,
};
use drover_shared::id::{DatumId, JobId, PipelineName, WorkerId};
use drover_shared::job::{Counts, JobRecord, JobState};
use drover_shared::ledger::{DoneRef, Ledger, ManifestEntry};
use drover_shared::store::{Location, Store};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A store with a job `count` of four datums: one succeeded, one failed, one was skipped, one never started.
struct SampleStore {
    folder: tempfile::TempDir,
    ledger: Ledger,
    job: JobId,
}

impl SampleStore {
    async fn new(state: JobState) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::folder(folder.path()).unwrap();
        let ledger = Ledger::new(Store::open(&location).await.unwrap());
        let pipeline: PipelineName = "count".parse().unwrap();
        let mut record = JobRecord::new(JobId::generate(), pipeline, Timestamp::now());
        record.state = state;
        record.datums = Counts {
            total: 4,
            processed: 1,
            skipped: 1,
            failed: 1,
            recovered: 0,
        };
        let job = record.id;
        ledger.open_job(&record, &json!({})).await.unwrap();
        let entries: Vec<ManifestEntry> = (0..4).map(|index| entry(index, job)).collect();
        ledger.write_manifest(job, &entries).await.unwrap();
        for verdict in [verdict(0, None), verdict(1, Some("no such column"))] {
            ledger.commit(job, &verdict).await.unwrap();
        }
        Self {
            folder,
            ledger,
            job,
        }
    }

    async fn log(&self, index: u64, name: &str, text: &str) {
        let file = self.folder.path().join("log");
        std::fs::write(&file, text).unwrap();
        self.ledger
            .save_log(self.job, index, name, &file)
            .await
            .unwrap();
    }

    fn drover(&self, arguments: &[&str]) -> Output {
        drover(self.folder.path(), arguments)
    }

    fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.drover(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.stdout(&[arguments, &["--output", "json"]].concat());
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn drover(store: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drover"));
    command
        .current_dir(store)
        .args(arguments)
        .env_remove("DROVER_STORE")
        .env_remove("DROVER_OUTPUT");
    command.output().unwrap()
}

fn entry(index: u64, job: JobId) -> ManifestEntry {
    let input = DatumInput {
        name: "in".to_owned(),
        repo: "in".to_owned(),
        path: format!("/{index}.csv"),
        kind: InputKind::File,
        size: 10,
        join_on: None,
        group_by: None,
        tag: ContentTag::new("blake3:00"),
        leaf: 0,
        version: None,
    };
    let datum = Datum {
        index,
        id: id(index),
        inputs: vec![input],
    };
    ManifestEntry {
        datum,
        done: (index == 2).then_some(DoneRef { job, index: 7 }),
        redo: None,
    }
}

fn id(index: u64) -> DatumId {
    DatumId::from_hash(&blake3::hash(&index.to_be_bytes()))
}

fn verdict(index: u64, last_line: Option<&str>) -> Verdict {
    Verdict {
        index,
        datum: id(index),
        state: if last_line.is_some() {
            VerdictState::Failed
        } else {
            VerdictState::Success
        },
        attempts: 1,
        worker: WorkerId::generate("host"),
        cause: last_line.map(|line| Cause::Exit {
            code: 1,
            last_line: line.to_owned(),
        }),
        staged: "x".to_owned(),
        outputs: vec![],
        stats: StageStats::default(),
        started: Timestamp::now(),
        finished: Timestamp::now(),
        usage: None,
        taken_from: None,
    }
}

#[tokio::test]
async fn a_job_whose_process_is_gone_is_seen_as_killed() {
    let sample = SampleStore::new(JobState::Running).await;
    let record = &sample.json(&["job", "last"])[0];
    assert_eq!(
        (&record["state"], &record["reason"]),
        (&json!("killed"), &json!("interrupted"))
    );
    assert_eq!(sample.drover(&["wait"]).status.code(), Some(3));
    assert!(sample.stdout(&["explain"]).contains("interrupted"));

    let lock = sample
        .ledger
        .try_lock(&"count".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(sample.json(&["job", "last"])[0]["state"], "running");
    assert_eq!(
        sample.drover(&["wait", "--timeout", "100ms"]).status.code(),
        Some(5)
    );
    drop(lock);
}

#[tokio::test]
async fn datums_tell_what_became_of_them() {
    let sample = SampleStore::new(JobState::Failure).await;
    let rows = sample.json(&["datums"]);
    let states: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["state"].as_str())
        .collect();
    assert_eq!(states, ["success", "failed", "skipped", "queued"]);
    assert_eq!(rows[1]["reason"], "exit 1: no such column");
    assert_eq!(sample.json(&["datums", "--limit", "2"]).len(), 2);
    assert_eq!(
        sample
            .json(&["datums", "--state", "failed", "--state", "queued"])
            .len(),
        2
    );
    let cut = sample.drover(&["datums", "--limit", "1"]);
    assert_eq!(
        String::from_utf8_lossy(&cut.stderr),
        "3 more datums; --limit 0 shows all\n"
    );
}

#[tokio::test]
async fn failures_are_grouped_from_the_verdicts() {
    let sample = SampleStore::new(JobState::Failure).await;
    let told = sample.stdout(&["job"]);
    assert!(
        told.contains("1  exit 1: 'no such column'  (datum 1)"),
        "{told}"
    );
    assert!(
        told.contains(&format!("drover logs {} --datum 1", sample.job.short())),
        "{told}"
    );
    assert!(
        told.contains(&format!("drover retry {}", sample.job.short())),
        "{told}"
    );
}

#[tokio::test]
async fn logs_are_shown_by_datum_by_attempt_and_all_together() {
    let sample = SampleStore::new(JobState::Failure).await;
    let line = |text: &str| format!("2026-11-23T18:31:55.1Z stdout {text}\n");
    sample
        .log(0, "c.000001.log", &(line("P half ") + &line("F line")))
        .await;
    sample.log(1, "c.000001.log", &line("F one")).await;
    sample.log(1, "c.000002.log", &line("F two")).await;
    sample.log(1, "c.err.log", &line("F sorry")).await;
    assert_eq!(
        sample.stdout(&["logs"]),
        "0.1 | half line\n1.1 | one\n1.2 | two\n1.err | sorry\n"
    );
    assert_eq!(
        sample.stdout(&["logs", "--datum", "1", "--attempt", "2"]),
        "two\n"
    );
    assert_eq!(
        sample.stdout(&["logs", "--datum", "1", "--tail", "1"]),
        "one\ntwo\nsorry\n"
    );
    let numbers: String = (0..9).map(|n| line(&format!("F {n}"))).collect();
    sample.log(3, "c.000001.log", &numbers).await;
    assert_eq!(
        sample.stdout(&["logs", "--datum", "3", "--tail", "2"]),
        "7\n8\n"
    );
    let by_id = id(1).to_string();
    assert_eq!(
        sample.stdout(&["logs", "--datum", &by_id[..8]]),
        "one\ntwo\nsorry\n"
    );
    assert_eq!(
        sample.stdout(&["logs", "--datum", "0", "--timestamps"]),
        "2026-11-23T18:31:55.1Z half line\n"
    );
    assert_eq!(
        sample.json(&["logs", "--datum", "1"])[2]["attempt"],
        Value::Null
    );
    let skipped = sample.drover(&["logs", "--datum", "2"]);
    assert!(
        String::from_utf8_lossy(&skipped.stderr).contains("--datum 7"),
        "{skipped:?}"
    );
    assert_eq!(
        sample.drover(&["logs", "--datum", "99"]).status.code(),
        Some(2)
    );
}

#[tokio::test]
async fn a_damaged_record_is_named_and_hides_no_other() {
    let sample = SampleStore::new(JobState::Success).await;
    let newer = JobRecord::new(
        JobId::generate(),
        "count".parse().unwrap(),
        Timestamp::now(),
    );
    sample.ledger.open_job(&newer, &json!({})).await.unwrap();
    let path = format!(".drover/jobs/{}/record.json", sample.job);
    let path = sample.folder.path().join(path);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "{ \"job\": tru").unwrap();
    let listed = sample.drover(&["jobs"]);
    assert!(
        String::from_utf8_lossy(&listed.stdout).contains(&newer.id.short()),
        "{listed:?}"
    );
    assert!(
        String::from_utf8_lossy(&listed.stderr).contains(&sample.job.to_string()),
        "{listed:?}"
    );
    assert_eq!(
        sample
            .drover(&["job", &sample.job.to_string()])
            .status
            .code(),
        Some(4)
    );
}

#[tokio::test]
async fn a_job_that_has_ended_is_not_stopped_again() {
    let sample = SampleStore::new(JobState::Failure).await;
    let stopped = sample.drover(&["stop", "last"]);
    assert!(stopped.status.success());
    assert!(
        String::from_utf8_lossy(&stopped.stderr).contains("has ended already: failure"),
        "{stopped:?}"
    );
    assert!(!sample.ledger.stop_requested(sample.job).await.unwrap());
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let store = tempfile::tempdir().unwrap();
    for (arguments, kind) in [
        (&["run", "--no-such-flag"][..], "usage"),
        (&["run", "missing.yaml"], "usage"),
        (&["job", "last"], "job"),
        (&["jobs", "--store", "/no/such/store"], "store"),
        (
            &["plan", "--glob", "missing:/*", "--out", "o", "--", "x"],
            "input",
        ),
        (
            &["plan", "--glob", "missing:/[", "--out", "o", "--", "x"],
            "spec",
        ),
    ] {
        let line = [&["--output", "json"], arguments].concat();
        let output = drover(store.path(), &line);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(error["error"]["kind"], kind, "{error}");
        assert!(error["error"]["findings"].is_array(), "{error}");
    }
}

#[tokio::test]
async fn an_empty_reference_is_an_error_and_not_the_last_job() {
    let sample = SampleStore::new(JobState::Failure).await;
    for arguments in [
        &["wait", ""][..],
        &["job", ""],
        &["stop", ""],
        &["retry", ""],
        &["datums", ""],
        &["logs", ""],
        &["explain", ""],
        &["logs", "last", "--datum", ""],
        &["retry", "last", "--group", ""],
        &["jobs", "--pipeline", ""],
        &["pause", "pipeline", ""],
    ] {
        let output = sample.drover(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    }
}

#[tokio::test]
async fn a_job_is_found_by_the_short_id_of_the_page() {
    let sample = SampleStore::new(JobState::Failure).await;
    let id = sample.job.to_string();
    assert_eq!(sample.json(&["job", &id[id.len() - 8..]])[0]["job"], id);
}

#[tokio::test]
async fn the_log_of_a_command_that_never_started_tells_why() {
    let sample = SampleStore::new(JobState::Failure).await;
    let message = "/usr/bin/frob9 does not exist; install it".to_owned();
    let start = Verdict {
        cause: Some(Cause::Start { message }),
        ..verdict(3, Some(""))
    };
    sample.ledger.commit(sample.job, &start).await.unwrap();
    for arguments in [&["logs", "--datum", "3"][..], &["logs"]] {
        let output = sample.drover(arguments);
        assert!(output.status.success(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("/usr/bin/frob9 does not exist"), "{said}");
    }
}

#[tokio::test]
async fn a_failed_job_says_that_nothing_was_published_and_how_to_publish_the_rest() {
    let sample = SampleStore::new(JobState::Failure).await;
    let output = sample.drover(&["wait"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("nothing was published: count/ is unchanged"),
        "{said}"
    );
    assert!(said.contains("--on-error true"), "{said}");
}
