//! Stored work through the `drover` command: `plan --why`, `redo`, `verify` and `report` over real jobs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

struct Store(tempfile::TempDir);

impl Store {
    /// A store with three input files.
    fn new() -> Self {
        let store = Self(tempfile::tempdir().unwrap());
        for name in ["a", "b", "c"] {
            store.input(name, name);
        }
        store
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    fn input(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path("in")).unwrap();
        fs::write(self.path(&format!("in/{name}")), text).unwrap();
    }

    fn drover(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_drover"))
            .current_dir(self.0.path())
            .args(arguments)
            .env_remove("DROVER_STORE")
            .env_remove("DROVER_OUTPUT")
            .env_remove("DROVER_BROKER")
            .output()
            .unwrap()
    }

    /// Lines of JSON of a command that ends with `code`.
    fn json(&self, code: i32, arguments: &[&str]) -> Vec<Value> {
        let output = self.drover(&[&["--output", "json"], arguments].concat());
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {output:?}"
        );
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Processed and skipped datums of a run with this command.
    fn run(&self, command: &[&str]) -> (u64, u64) {
        let line = [&["run", "--glob", "in/*", "--out", "out", "--"], command].concat();
        let datums = &self.json(0, &line)[0]["datums"];
        let count = |name: &str| datums[name].as_u64().unwrap();
        (count("processed"), count("skipped"))
    }

    /// The reasons of a plan, by datum.
    fn reasons(&self, command: &[&str]) -> Vec<String> {
        let line = [
            &["plan", "--why", "--glob", "in/*", "--out", "out", "--"],
            command,
        ]
        .concat();
        let datums = self.json(0, &line);
        let why = |datum: &Value| datum["why"].as_str().unwrap().to_owned();
        datums.iter().map(why).collect()
    }

    fn staged(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for job in fs::read_dir(self.path(".drover/jobs")).unwrap() {
            let staged = job.unwrap().path().join("staged");
            let Ok(entries) = fs::read_dir(staged) else {
                continue;
            };
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        files.sort();
        files
    }
}

const COPY: &[&str] = &["cp", "{}", "{out}/"];

fn starts(reasons: &[String], expected: [&str; 3]) {
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(expected), "{expected}: {reasons:?}");
    }
}

#[test]
fn a_plan_tells_why_each_datum_would_run() {
    let store = Store::new();
    starts(&store.reasons(COPY), ["new", "new", "new"]);
    assert_eq!(store.run(COPY), (3, 0));
    starts(
        &store.reasons(COPY),
        ["skipped: done by job", "skipped", "skipped"],
    );
    store.input("b", "another text");
    starts(
        &store.reasons(COPY),
        ["skipped", "input changed: in:/b", "skipped"],
    );
    store.input("b", "b");
    let other = ["cp", "-p", "{}", "{out}/"];
    starts(
        &store.reasons(&other),
        ["command changed: transform.cmd"; 3],
    );
    store.input("d", "d");
    let with_new = store.reasons(COPY);
    assert_eq!(with_new[3], "new", "{with_new:?}");
}

#[test]
fn forgotten_successes_are_done_again_and_no_others() {
    let store = Store::new();
    assert_eq!(store.run(COPY), (3, 0));
    let forgotten = |arguments: &[&str]| {
        let line = [&["redo", "out"], arguments].concat();
        store.json(0, &line)[0]["forgotten"].as_u64().unwrap()
    };
    assert_eq!(forgotten(&["--path", "/nothing*"]), 0);
    assert_eq!(forgotten(&["--path", "/b"]), 1);
    starts(&store.reasons(COPY), ["skipped", "to be redone", "skipped"]);
    assert_eq!(store.run(COPY), (1, 2));
    let datums = store.json(0, &["datums", "last"]);
    let id = datums[0]["datum"].as_str().unwrap();
    assert_eq!(forgotten(&["--datum", &id[..8]]), 1);
    assert_eq!(store.run(COPY), (1, 2));
    assert_eq!(forgotten(&["--since", "last"]), 1);
    assert_eq!(forgotten(&[]), 2);
    assert_eq!(store.run(COPY), (3, 0));
    let unknown = store.drover(&["redo", "never-run"]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
}

#[test]
fn damage_of_stored_output_is_found() {
    let store = Store::new();
    assert_eq!(store.run(COPY), (3, 0));
    let whole = &store.json(0, &["verify"])[0];
    assert_eq!(
        (&whole["files"], &whole["redo"]),
        (&3.into(), &0.into()),
        "{whole}"
    );
    let unknown = store.drover(&["verify", "other"]);
    assert_eq!(unknown.status.code(), Some(2), "{unknown:?}");
    let staged = store.staged();
    assert_eq!(staged.len(), 3, "{staged:?}");
    replace(&staged[0], "x");
    fs::remove_file(&staged[1]).unwrap();
    let damaged = &store.json(1, &["verify", "out"])[0];
    assert_eq!(damaged["redo"], 2, "{damaged}");
    assert_eq!(damaged["damaged"].as_array().unwrap().len(), 2, "{damaged}");
    let text = store.drover(&["verify"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(
        text.contains("content has changed") && text.contains("missing"),
        "{text}"
    );
}

/// Another file of the same size in the place of a file.
fn replace(path: &Path, text: &str) {
    fs::remove_file(path).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_report_is_one_small_file() {
    let store = Store::new();
    store.run(COPY);
    let written = store.drover(&["report", "--file", "report.html"]);
    assert!(written.status.success(), "{written:?}");
    let html = fs::read_to_string(store.path("report.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.len() < 1_000_000);
    assert!(
        html.contains("<h1>out") && html.contains("3 processed"),
        "{html}"
    );
    let printed = store.drover(&["report", "last"]);
    assert!(
        printed.stdout.starts_with(b"<!doctype html>"),
        "{printed:?}"
    );
    let failing = [
        "run",
        "--glob",
        "in/*",
        "--out",
        "bad",
        "--tries",
        "1",
        "--",
        "ls",
        "/no-such-file",
    ];
    assert_eq!(store.drover(&failing).status.code(), Some(1));
    let failed = store.drover(&["report"]);
    let failed = String::from_utf8(failed.stdout).unwrap();
    assert!(
        failed.contains("3 × exit 2") && failed.contains("No such file"),
        "{failed}"
    );
}
