//! Commands that show, await, stop and retry jobs.

use drover_tests::{Spec, Workspace, eventually};

fn copies() -> Spec {
    Spec::new("copies").reads("in", "/*")
}

/// Runs `script` over six numbered files, where those below 2 fail.
fn after_a_failure() -> (Workspace, drover_tests::Job) {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 6);
    let script = r#"
        echo "$in" >> "$OUTSIDE/runs"; echo "looking at $(cat "$in")"; echo "number $(cat "$in")" >&2
        if [ -e "$OUTSIDE/mended" ]; then cp "$in" /pfs/out/; exit; fi
        test "$(cat "$in")" -ge 2 && cp "$in" /pfs/out/"#;
    let job = workspace.fails(&copies().sh(script));
    (workspace, job)
}

#[test]
fn jobs_are_listed_newest_first() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let ids: Vec<String> = (0..3)
        .map(|_| workspace.succeeds(&copies()).id().to_owned())
        .collect();
    workspace.succeeds(&copies().set("pipeline.name", "others"));
    let listed = |args: &[&str]| -> Vec<String> {
        let lines = workspace.call(args).code(0).lines();
        lines
            .iter()
            .map(|line| line["job"].as_str().unwrap().to_owned())
            .collect()
    };
    let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
    assert_eq!(
        listed(&["jobs", "--output", "json", "--pipeline", "copies"]),
        newest_first
    );
    assert_eq!(listed(&["jobs", "--output", "json"]).len(), 4);
    assert_eq!(
        listed(&["jobs", "--output", "json", "--limit", "2"]).len(),
        2
    );
    let table = workspace.call(&["jobs"]).code(0).stdout;
    assert!(
        ids.iter().all(|id| table.contains(&id[id.len() - 8..])),
        "{table}"
    );
}

#[test]
fn a_job_is_known_by_last_and_by_a_unique_prefix() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let job = workspace.succeeds(&copies());
    for name in ["last", job.id(), &job.id()[..20]] {
        assert_eq!(
            workspace
                .call(&["job", name, "--output", "json"])
                .code(0)
                .job()
                .id(),
            job.id()
        );
    }
    workspace.succeeds(&copies());
    workspace.call(&["job", &job.id()[..2]]).code(2);
}

#[test]
fn datums_are_listed_by_state() {
    let (workspace, job) = after_a_failure();
    let of = |state: &str| {
        workspace
            .call(&["datums", job.id(), "--state", state, "--output", "json"])
            .code(0)
            .lines()
            .len()
    };
    assert_eq!((of("failed"), of("success"), of("skipped")), (2, 4, 0));
    let table = workspace.call(&["datums", job.id()]).code(0).stdout;
    assert!(
        table.contains("/000") && table.contains("failed"),
        "{table}"
    );
}

#[test]
fn logs_hold_what_each_command_said() {
    let (workspace, job) = after_a_failure();
    let all = workspace.call(&["logs", job.id()]).code(0).stdout;
    assert!(
        (0..6)
            .all(|n| all.contains(&format!("looking at {n}"))
                && all.contains(&format!("number {n}"))),
        "{all}"
    );
    let one = workspace
        .call(&["logs", job.id(), "--datum", "3"])
        .code(0)
        .stdout;
    assert!(
        one.contains("looking at 3") && !one.contains("looking at 4"),
        "{one}"
    );
    let datums = workspace
        .call(&["datums", job.id(), "--output", "json"])
        .code(0)
        .lines();
    let by_id = workspace
        .call(&[
            "logs",
            job.id(),
            "--datum",
            datums[3]["datum"].as_str().unwrap(),
        ])
        .code(0)
        .stdout;
    assert_eq!(by_id, one);
}

#[test]
fn retry_runs_only_what_failed() {
    let (workspace, job) = after_a_failure();
    workspace.open_gate("mended");
    let retried = workspace
        .call(&["retry", job.id(), "--output", "json"])
        .code(0)
        .job();
    assert_eq!(retried.counts(), "6: 2 processed, 4 skipped");
    assert_eq!(workspace.line_count("runs"), 8);
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
}

#[test]
fn retry_of_one_group_runs_only_what_failed_with_that_cause() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 6);
    let picky = copies().sh(r#"
        echo "$in" >> "$OUTSIDE/runs"
        [ -e "$OUTSIDE/mended" ] || case $in in *1) exit 7 ;; *3 | *4) exit 8 ;; esac
        cp "$in" /pfs/out/"#);
    let failed = workspace.run(&picky).code(1).job();
    assert_eq!(failed.counts(), "6: 3 processed, 3 failed");
    workspace.open_gate("mended");
    let unknown = workspace
        .call(&["retry", failed.id(), "--group", "x"])
        .code(2);
    let groups: Vec<&str> = unknown
        .stderr
        .split([' ', ','])
        .filter(|word| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .collect();
    assert_eq!(groups.len(), 2, "{}", unknown.stderr);
    let largest = [
        "retry",
        failed.id(),
        "--group",
        groups[0],
        "--output",
        "json",
    ];
    let retried = workspace.call(&largest).code(1).job();
    assert_eq!(retried.counts(), "6: 2 processed, 3 skipped, 1 failed");
    assert!(
        retried
            .reason()
            .contains("failed before and not run again: 1"),
        "{}",
        retried.reason()
    );
    assert_eq!(workspace.line_count("runs"), 8);
    let rest = ["retry", retried.id(), "--output", "json"];
    let rest = workspace.call(&rest).code(0).job();
    assert_eq!(rest.counts(), "6: 1 processed, 5 skipped");
    assert_eq!(workspace.line_count("runs"), 9);
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
}

#[test]
fn wait_follows_a_running_job_to_its_end() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let gated = copies().sh(
        r#"touch "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; exit 6"#,
    );
    let running = workspace.start_run(&gated, &[]);
    eventually("the command ran", || workspace.outside("started").exists());
    let mut waiting = workspace.start(&["wait", "last", "--output", "json"]);
    let state = workspace
        .call(&["job", "last", "--output", "json"])
        .code(0)
        .job()
        .state()
        .to_owned();
    assert_eq!(state, "running");
    assert!(!waiting.has_ended());
    workspace.open_gate("gate");
    let job = running.finish().code(1).job();
    assert_eq!(waiting.finish().code(1).job().0, job.0);
}

#[test]
fn a_job_is_stopped_from_another_terminal() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 5);
    let script =
        r#"if [ "$(cat "$in")" = 0 ]; then exit 0; fi; echo >> "$OUTSIDE/started"; sleep 1000"#;
    let running = workspace.start_run(&copies().sh(script), &["--workers", "5"]);
    eventually("four commands ran", || workspace.line_count("started") == 4);
    eventually("the fifth was done", || {
        let done = workspace.call(&["datums", "last", "--state", "success", "--output", "json"]);
        done.stdout.lines().count() == 1
    });
    workspace.call(&["stop", "last"]).code(0);
    let job = running.finish().code(3).job();
    assert_eq!((job.state(), job.count("processed")), ("killed", 1));
    assert_eq!(
        workspace.call(&["job", "last", "--output", "json"]).job().0,
        job.0
    );
    workspace.call(&["stop", "last"]);
}

#[test]
fn explain_tells_in_sentences() {
    let (workspace, job) = after_a_failure();
    let told = workspace.call(&["explain", job.id()]).code(0).stdout;
    assert!(told.contains("2 of 6") && told.contains("failed"), "{told}");
    let (workspace, gate) = (Workspace::new(), "gate");
    workspace.file("in/a", "");
    let running = workspace.start_run(
        &copies()
            .sh(r#"touch "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#),
        &[],
    );
    eventually("the command ran", || workspace.outside("started").exists());
    let told = workspace.call(&["explain", "last"]).code(0).stdout;
    assert!(told.contains("running"), "{told}");
    let at_work = workspace
        .call(&["datums", "last", "--state", "running"])
        .code(0);
    assert!(at_work.stderr.contains("drover serve"), "{at_work:?}");
    workspace.open_gate(gate);
    running.finish().code(0);
}

#[test]
fn a_store_without_jobs_lists_none() {
    let workspace = Workspace::new();
    assert!(
        workspace
            .call(&["jobs", "--output", "json"])
            .code(0)
            .stdout
            .is_empty()
    );
    workspace.call(&["jobs"]).code(0);
    assert!(
        !workspace.path(".drover").exists(),
        "looking leaves nothing behind"
    );
}
