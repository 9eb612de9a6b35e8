//! Looking at jobs, waiting for them, stopping and retrying them.

use drover_tests::{Spec, Workspace, eventually};

fn copies() -> Spec {
    Spec::new("copies").reads("in", "/*")
}

/// Runs `script` over six numbered files, where those below 2 fail.
fn after_a_failure() -> (Workspace, drover_tests::Job) {
    let place = Workspace::new();
    place.numbered_files("in", 6);
    let script = r#"
        echo "$in" >> "$OUTSIDE/runs"; echo "looking at $(cat "$in")"; echo "number $(cat "$in")" >&2
        if [ -e "$OUTSIDE/mended" ]; then cp "$in" /pfs/out/; exit; fi
        test "$(cat "$in")" -ge 2 && cp "$in" /pfs/out/"#;
    let job = place.fails(&copies().sh(script));
    (place, job)
}

#[test]
fn jobs_are_listed_newest_first() {
    let place = Workspace::new();
    place.file("in/a", "");
    let ids: Vec<String> = (0..3)
        .map(|_| place.succeeds(&copies()).id().to_owned())
        .collect();
    place.succeeds(&copies().set("pipeline.name", "others"));
    let listed = |args: &[&str]| -> Vec<String> {
        let lines = place.call(args).code(0).lines();
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
    let table = place.call(&["jobs"]).code(0).stdout;
    assert!(ids.iter().all(|id| table.contains(id.as_str())), "{table}");
}

#[test]
fn a_job_is_known_by_last_and_by_a_unique_prefix() {
    let place = Workspace::new();
    place.file("in/a", "");
    let job = place.succeeds(&copies());
    for name in ["last", job.id(), &job.id()[..20]] {
        assert_eq!(
            place
                .call(&["job", name, "--output", "json"])
                .code(0)
                .job()
                .id(),
            job.id()
        );
    }
    place.succeeds(&copies());
    place.call(&["job", &job.id()[..2]]).code(2);
}

#[test]
fn datums_are_listed_by_state() {
    let (place, job) = after_a_failure();
    let of = |state: &str| {
        place
            .call(&["datums", job.id(), "--state", state, "--output", "json"])
            .code(0)
            .lines()
            .len()
    };
    assert_eq!((of("failed"), of("success"), of("skipped")), (2, 4, 0));
    let table = place.call(&["datums", job.id()]).code(0).stdout;
    assert!(
        table.contains("/000") && table.contains("failed"),
        "{table}"
    );
}

#[test]
fn logs_hold_what_each_command_said() {
    let (place, job) = after_a_failure();
    let all = place.call(&["logs", job.id()]).code(0).stdout;
    assert!(
        (0..6)
            .all(|n| all.contains(&format!("looking at {n}"))
                && all.contains(&format!("number {n}"))),
        "{all}"
    );
    let one = place
        .call(&["logs", job.id(), "--datum", "3"])
        .code(0)
        .stdout;
    assert!(
        one.contains("looking at 3") && !one.contains("looking at 4"),
        "{one}"
    );
    let datums = place
        .call(&["datums", job.id(), "--output", "json"])
        .code(0)
        .lines();
    let by_id = place
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
    let (place, job) = after_a_failure();
    place.open_gate("mended");
    let retried = place
        .call(&["retry", job.id(), "--output", "json"])
        .code(0)
        .job();
    assert_eq!(retried.counts(), "6: 2 processed, 4 skipped");
    assert_eq!(place.told("runs"), 8);
    assert_eq!(place.tree("copies"), place.tree("in"));
}

#[test]
fn retry_of_one_group_runs_only_what_failed_with_that_cause() {
    let place = Workspace::new();
    place.numbered_files("in", 6);
    let picky = copies().sh(r#"
        echo "$in" >> "$OUTSIDE/runs"
        [ -e "$OUTSIDE/mended" ] || case $in in *1) exit 7 ;; *3 | *4) exit 8 ;; esac
        cp "$in" /pfs/out/"#);
    let failed = place.run(&picky).code(1).job();
    assert_eq!(failed.counts(), "6: 3 processed, 3 failed");
    place.open_gate("mended");
    let unknown = place.call(&["retry", failed.id(), "--group", "x"]).code(2);
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
    let retried = place.call(&largest).code(1).job();
    assert_eq!(retried.counts(), "6: 2 processed, 3 skipped, 1 failed");
    assert!(
        retried
            .reason()
            .contains("failed before and not run again: 1"),
        "{}",
        retried.reason()
    );
    assert_eq!(place.told("runs"), 8);
    let rest = ["retry", retried.id(), "--output", "json"];
    let rest = place.call(&rest).code(0).job();
    assert_eq!(rest.counts(), "6: 1 processed, 5 skipped");
    assert_eq!(place.told("runs"), 9);
    assert_eq!(place.tree("copies"), place.tree("in"));
}

#[test]
fn wait_follows_a_running_job_to_its_end() {
    let place = Workspace::new();
    place.file("in/a", "");
    let gated = copies().sh(
        r#"touch "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; exit 6"#,
    );
    let running = place.start_run(&gated, &[]);
    eventually("the command ran", || place.outside("started").exists());
    let mut waiting = place.start(&["wait", "last", "--output", "json"]);
    let state = place
        .call(&["job", "last", "--output", "json"])
        .code(0)
        .job()
        .state()
        .to_owned();
    assert_eq!(state, "running");
    assert!(!waiting.has_ended());
    place.open_gate("gate");
    let job = running.finish().code(1).job();
    assert_eq!(waiting.finish().code(1).job().0, job.0);
}

#[test]
fn a_job_is_stopped_from_another_terminal() {
    let place = Workspace::new();
    place.numbered_files("in", 5);
    let script =
        r#"if [ "$(cat "$in")" = 0 ]; then exit 0; fi; echo >> "$OUTSIDE/started"; sleep 1000"#;
    let running = place.start_run(&copies().sh(script), &["--workers", "5"]);
    eventually("four commands ran", || place.told("started") == 4);
    eventually("the fifth was done", || {
        let done = place.call(&["datums", "last", "--state", "success", "--output", "json"]);
        done.stdout.lines().count() == 1
    });
    place.call(&["stop", "last"]).code(0);
    let job = running.finish().code(3).job();
    assert_eq!((job.state(), job.count("processed")), ("killed", 1));
    assert_eq!(
        place.call(&["job", "last", "--output", "json"]).job().0,
        job.0
    );
    place.call(&["stop", "last"]);
}

#[test]
fn explain_tells_in_sentences() {
    let (place, job) = after_a_failure();
    let told = place.call(&["explain", job.id()]).code(0).stdout;
    assert!(told.contains("2 of 6") && told.contains("failed"), "{told}");
    let (place, gate) = (Workspace::new(), "gate");
    place.file("in/a", "");
    let running = place.start_run(
        &copies()
            .sh(r#"touch "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#),
        &[],
    );
    eventually("the command ran", || place.outside("started").exists());
    let told = place.call(&["explain", "last"]).code(0).stdout;
    assert!(told.contains("running"), "{told}");
    let at_work = place
        .call(&["datums", "last", "--state", "running"])
        .code(0);
    assert!(at_work.stderr.contains("drover serve"), "{at_work:?}");
    place.open_gate(gate);
    running.finish().code(0);
}

#[test]
fn a_store_without_jobs_lists_none() {
    let place = Workspace::new();
    assert!(
        place
            .call(&["jobs", "--output", "json"])
            .code(0)
            .stdout
            .is_empty()
    );
    place.call(&["jobs"]).code(0);
    assert!(
        !place.path(".drover").exists(),
        "looking leaves nothing behind"
    );
}
