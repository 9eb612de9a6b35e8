//! A store stays small: old jobs, superseded outputs and old logs go, and nothing that is needed.

use std::fs;
use std::thread;
use std::time::Duration;

use drover_tests::{Job, Random, Spec, Workspace, eventually, files};
use serde_json::{Value, json};

/// Copies each input, and notes each run in `runs`.
fn copies(retention: Value) -> Spec {
    let script =
        r#"name=$(basename "$in"); echo "$name" >> "$OUTSIDE/runs"; cp "$in" /pfs/out/; echo done"#;
    Spec::new("copies")
        .reads("in", "/*")
        .sh(script)
        .set("retention", retention)
}

/// The ids of all jobs, newest first.
fn jobs(workspace: &Workspace) -> Vec<String> {
    let listed = workspace
        .call(&["jobs", "--output", "json"])
        .code(0)
        .lines();
    listed
        .iter()
        .map(|job| Job(job.clone()).id().to_owned())
        .collect()
}

/// The number of files of jobs whose path contains the text.
fn job_files(workspace: &Workspace, text: &str) -> usize {
    let files = workspace.tree(".drover/jobs");
    files
        .paths()
        .into_iter()
        .filter(|path| path.contains(text))
        .count()
}

fn is_verified(workspace: &Workspace) -> u64 {
    let found = workspace
        .call(&["verify", "--output", "json"])
        .code(0)
        .lines();
    found[0]["datums"].as_u64().expect("a number")
}

/// A pipeline that ran 12 times, each time with one more file, and with another version of the file `changing`. All jobs
/// are kept.
fn history() -> Workspace {
    let workspace = Workspace::new();
    for n in 0..12 {
        workspace.file(&format!("in/{n:03}"), format!("{n}\n"));
        workspace.file("in/changing", format!("version {n}\n"));
        workspace.succeeds(&copies(json!({"jobs": 1000})));
    }
    workspace
}

/// Another run, in which the given number of datums runs again, makes what a fresh store would.
fn runs_as_in_a_fresh_store(workspace: &Workspace, again: u64) {
    let spec = copies(json!({"jobs": 1000}));
    let job = workspace.succeeds(&spec);
    assert_eq!((job.count("processed"), job.count("total")), (again, 13));
    let fresh = Workspace::new();
    for name in workspace.tree("in").paths() {
        let content = fs::read(workspace.path("in").join(name)).expect("it is an input");
        fresh.file(&format!("in/{name}"), content);
    }
    fresh.succeeds(&spec);
    assert_eq!(workspace.tree("copies"), fresh.tree("copies"));
}

#[test]
fn of_120_jobs_gc_keeps_50_and_all_work_is_still_skipped() {
    let workspace = Workspace::new();
    for n in 0..20 {
        workspace.file(&format!("in/{n:03}"), format!("{n}\n"));
        workspace.succeeds(&copies(json!({"jobs": 1000})));
    }
    for _ in 20..120 {
        workspace.succeeds(&copies(json!({"jobs": 1000})));
    }
    let before = workspace.tree("copies");
    assert_eq!(jobs(&workspace).len(), 120);
    let default = workspace.spec(&copies(json!({})));
    workspace
        .call(&["create", "pipeline", "-f", &default])
        .code(0);
    let would = workspace
        .call(&["gc", "--dry-run", "--output", "json"])
        .code(0)
        .lines();
    assert_eq!(jobs(&workspace).len(), 120, "a dry run removed a job");
    let done = workspace.call(&["gc", "--output", "json"]).code(0).lines();
    assert_eq!(
        (&done[0]["jobs"], &done[0]["kept_jobs"], &done[0]["work"]),
        (&json!(70), &json!(50), &json!(0))
    );
    for field in ["jobs", "kept_jobs", "work", "files", "bytes", "kinds"] {
        assert_eq!(would[0][field], done[0][field], "{field}");
    }
    assert_eq!(jobs(&workspace).len(), 50);
    assert_eq!(workspace.tree("copies"), before);
    assert_eq!(is_verified(&workspace), 20);
    assert_eq!(
        workspace.succeeds(&copies(json!({}))).counts(),
        "20: 20 skipped"
    );
    assert_eq!(workspace.line_count("runs"), 20);
    assert_eq!(
        jobs(&workspace).len(),
        50,
        "the end of a run removes what is old"
    );
    assert_eq!(workspace.tree("copies"), before);
}

#[test]
fn superseded_outputs_go_with_their_jobs_and_the_output_folder_stays() {
    let workspace = history();
    let before = workspace.tree("copies");
    assert_eq!(job_files(&workspace, "/staged/"), 24);
    workspace.call(&["gc", "--set", "jobs=3"]).code(0);
    assert_eq!(jobs(&workspace).len(), 12, "the spec comes first");
    assert_eq!(workspace.succeeds(&copies(json!({}))).count("skipped"), 13);
    assert_eq!(jobs(&workspace).len(), 3);
    assert_eq!(
        job_files(&workspace, "/staged/"),
        14,
        "12 files, and the last two versions"
    );
    assert_eq!(job_files(&workspace, "record.json"), 3);
    assert_eq!(workspace.tree("copies"), before);
    assert_eq!(
        is_verified(&workspace),
        14,
        "13 files, and the last but one version"
    );
    runs_as_in_a_fresh_store(&workspace, 0);
}

#[test]
fn an_edit_that_is_taken_back_is_still_skipped() {
    let workspace = history();
    workspace.call(&["gc", "--set", "jobs=3"]).code(0);
    workspace.succeeds(&copies(json!({})));
    workspace.file("in/changing", "version 10\n");
    let job = workspace.succeeds(&copies(json!({})));
    assert_eq!(job.counts(), "13: 13 skipped");
    workspace.file("in/changing", "version 2\n");
    let job = workspace.succeeds(&copies(json!({})));
    assert_eq!(job.counts(), "13: 1 processed, 12 skipped");
    assert_eq!(
        fs::read_to_string(workspace.path("copies/changing")).unwrap(),
        "version 2\n"
    );
}

#[test]
fn a_failed_job_that_is_kept_can_be_retried() {
    let workspace = history();
    let failing = copies(json!({"jobs": 2})).sh(r#"[ ! -e "$OUTSIDE/broken" ] || [ "$(basename "$in")" != changing ] && cp "$in" /pfs/out/"#);
    fs::write(workspace.outside("broken"), "").unwrap();
    for _ in 0..4 {
        workspace.fails(&failing);
    }
    assert_eq!(jobs(&workspace).len(), 3, "two, and the newest success");
    fs::remove_file(workspace.outside("broken")).unwrap();
    let retried = workspace
        .call(&["retry", "last", "--output", "json"])
        .code(0)
        .job();
    assert_eq!(retried.counts(), "13: 1 processed, 12 skipped");
    assert_eq!(workspace.tree("copies").len(), 13);
}

#[test]
fn gc_killed_at_any_moment_loses_nothing() {
    for seed in 0..3 {
        let mut random = Random::new(seed);
        let workspace = history();
        let before = workspace.tree("copies");
        let set = workspace.spec(&copies(json!({"jobs": 2})));
        workspace.call(&["create", "pipeline", "-f", &set]).code(0);
        for _ in 0..6 {
            let running = workspace.start(&["gc"]);
            thread::sleep(Duration::from_millis(random.below(120)));
            running.kill();
            assert_eq!(workspace.tree("copies"), before);
            is_verified(&workspace);
        }
        if seed == 0 {
            runs_as_in_a_fresh_store(&workspace, 0);
        }
        workspace.call(&["gc"]).code(0);
        assert_eq!(jobs(&workspace).len(), 2);
        assert_eq!(workspace.tree(".drover/pipelines/copies/sweep"), files([]));
        runs_as_in_a_fresh_store(&workspace, 0);
    }
}

#[test]
fn gc_beside_a_running_job_leaves_its_pipeline_alone() {
    let workspace = history();
    workspace.file("in/slow", "slow\n");
    let slow = copies(json!({"jobs": 2}))
        .sh(r#"case $in in */slow) while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done;; esac; cp "$in" /pfs/out/"#);
    let running = workspace.start_run(&slow, &[]);
    eventually("the job runs", || jobs(&workspace).len() == 13);
    let told = workspace.call(&["gc", "--output", "json"]).code(0).lines();
    assert_eq!(told, [json!({"pipeline": "copies", "state": "busy"})]);
    assert_eq!(jobs(&workspace).len(), 13);
    workspace.open_gate("gate");
    running.finish().code(0);
    assert_eq!(
        jobs(&workspace).len(),
        2,
        "the job itself removes what is old"
    );
    assert_eq!(workspace.tree("copies").len(), 14);
}

#[test]
fn du_tells_what_gc_frees() {
    let workspace = history();
    let bytes = || -> u64 {
        let used = workspace.call(&["du", "--output", "json"]).code(0).lines();
        let of_jobs = used.iter().filter(|used| !used["job"].is_null());
        of_jobs.map(|used| used["bytes"].as_u64().unwrap()).sum()
    };
    let before = bytes();
    let set = workspace.spec(&copies(json!({"jobs": 1})));
    workspace.call(&["create", "pipeline", "-f", &set]).code(0);
    let done = workspace.call(&["gc", "--output", "json"]).code(0).lines();
    assert_eq!(before - bytes(), done[0]["bytes"].as_u64().unwrap());
    for (command, words) in [
        (&["du"][..], ["copies", "OUTPUTS"]),
        (&["du", "copies"], ["expired", "total"]),
    ] {
        let told = workspace.call(command).code(0).stdout;
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
    }
    for command in ["du", "gc"] {
        workspace
            .call(&[command, "nonesuch"])
            .code(2)
            .says(&["no job of pipeline nonesuch"]);
    }
}

#[test]
fn logs_of_age_zero_go_at_once() {
    let workspace = Workspace::new();
    workspace.file("in/a", "a\n");
    workspace.succeeds(&copies(json!({"logs": "0s", "failed_logs": "1d"})));
    workspace.call(&["logs", "last"]).code(0);
    assert_eq!(job_files(&workspace, ".log"), 0);
    for (set, advice) in [
        ("jobs=0", "1 or more"),
        ("logs=1", "add a unit"),
        ("x", "none of"),
    ] {
        workspace
            .call(&["gc", "--set", set])
            .code(2)
            .says(&[advice]);
    }
}

#[test]
fn a_service_removes_what_is_old_after_each_job() {
    let workspace = Workspace::new();
    let _service = workspace.start(&["serve", "--settle", "200ms"]);
    let spec = workspace.spec(&copies(json!({"jobs": 2})));
    workspace.call(&["create", "pipeline", "-f", &spec]).code(0);
    for n in 0..4 {
        workspace.file("in/changing", format!("version {n}\n"));
        eventually("the change is brought out", || {
            fs::read(workspace.path("copies/changing"))
                .is_ok_and(|bytes| bytes == format!("version {n}\n").as_bytes())
        });
    }
    eventually("two jobs and their outputs are left", || {
        jobs(&workspace).len() == 2 && job_files(&workspace, "/staged/") == 2
    });
}
