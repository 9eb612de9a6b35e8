//! Memory is measured, shared, and given in larger parts to what needs more.

use drover_tests::{Job, Spec, Workspace, is_root};

/// Holds as many megabytes as the input says, a second for each 200 of them: `tail` keeps a line without an end in memory.
const HOLD: &str = r#"size=$(cat "$in"); (head -c "${size}M" /dev/zero; sleep "$((size / 200)).5") | tail -n 1 | wc -c > "/pfs/out/$(basename "$in")""#;

fn holding(megabytes: &[u32]) -> (Workspace, Spec) {
    with(Workspace::new(), megabytes)
}

fn with(workspace: Workspace, megabytes: &[u32]) -> (Workspace, Spec) {
    for (number, megabytes) in megabytes.iter().enumerate() {
        workspace.file(&format!("in/{number}"), megabytes.to_string());
    }
    let spec = Spec::new("made").reads("in", "/*").sh(HOLD);
    (workspace, spec)
}

fn run(workspace: &Workspace, spec: &Spec, more: &[&str]) -> Job {
    workspace.start_run(spec, more).finish().job()
}

/// The datums of the last job, in order.
fn datums(workspace: &Workspace) -> Vec<serde_json::Value> {
    workspace
        .call(&["datums", "last", "--output", "json"])
        .lines()
}

/// Asserts that a command prints each of the `words`.
fn shows(workspace: &Workspace, args: &[&str], words: &[&str]) {
    let printed = workspace.call(args).stdout;
    for word in words {
        assert!(
            printed.contains(word),
            "{args:?} shows no {word:?}: {printed}"
        );
    }
}

fn attempts(workspace: &Workspace) -> Vec<u64> {
    let datums = datums(workspace);
    let attempts = datums.iter().map(|datum| datum["attempts"].as_u64());
    attempts.map(Option::unwrap_or_default).collect()
}

#[test]
fn the_memory_of_datums_is_measured_and_shown() {
    let (workspace, spec) = holding(&[20, 90, 20]);
    let job = run(&workspace, &spec, &["--workers", "2"]);
    assert_eq!(job.counts(), "3: 3 processed");
    let usage = &job.0["usage"];
    assert_eq!(usage["measured"], 3);
    assert_eq!(usage["memory_max_datum"], 1);
    let most = usage["memory_max_bytes"].as_u64().unwrap();
    assert!((90 << 20..200 << 20).contains(&most), "{usage}");
    assert!(usage["memory_median_bytes"].as_u64().unwrap() < 80 << 20);
    let datum = &datums(&workspace)[1];
    assert_eq!(datum["usage"]["memory_bytes"], most);
    assert!(datum["usage"]["cpu_time_s"].as_f64().unwrap() > 0.0);
    shows(&workspace, &["job", "last"], &["memory:", "(datum 1)"]);
    let explain = ["explain", "last", "--datum", "1"];
    shows(
        &workspace,
        &explain,
        &["succeeded after 1 attempt", "a sixteenth more"],
    );
}

#[test]
fn a_datum_that_needs_much_more_than_the_others_ends_well_and_so_do_they() {
    let hog = a_hog_among_innocents(Workspace::new());
    assert!(
        !is_root() || hog <= 2,
        "{hog} attempts, though groups are looked at often"
    );
}

#[test]
fn an_ordinary_users_datums_share_memory_as_well() {
    a_hog_among_innocents(Workspace::of_ordinary_user());
}

/// Returns the attempts of the hog in the first run.
fn a_hog_among_innocents(workspace: Workspace) -> u64 {
    let (workspace, spec) = with(workspace, &[450, 60, 60, 60, 60, 60]);
    let sizes = ["--workers", "3", "--memory", "540M"];
    let job = run(&workspace, &spec, &sizes);
    assert_eq!(job.counts(), "6: 6 processed", "{}", job.reason());
    let first = attempts(&workspace);
    assert_eq!(first[1..], [1; 5], "no innocent is charged");
    let again = [&sizes[..], &["--reprocess"]].concat();
    let job = run(&workspace, &spec, &again);
    assert_eq!(job.counts(), "6: 6 processed", "{}", job.reason());
    assert_eq!(attempts(&workspace), [1; 6], "the next run knows");
    first[0]
}

#[test]
fn a_datum_that_needs_more_than_there_is_fails_with_the_reason() {
    let (workspace, spec) = holding(&[400, 20]);
    let job = run(&workspace, &spec, &["--workers", "2", "--memory", "200M"]);
    assert_eq!(job.counts(), "2: 1 processed, 1 failed");
    let datums = datums(&workspace);
    let reason = datums[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("needed more than "), "{reason}");
    assert!(
        reason.ends_with("; inputs 3 B; the largest worker has 200 MB"),
        "{reason}"
    );
    shows(
        &workspace,
        &["explain", "last"],
        &["out of memory", "--memory"],
    );
}

#[test]
fn an_end_for_want_of_memory_is_no_failure_of_the_command() {
    let (workspace, spec) = holding(&[300]);
    // The command fails once, after it was ended for want of memory.
    let failing = r#"test -e "$OUTSIDE/failed" || test "$DROVER_ATTEMPT" = 1 || { touch "$OUTSIDE/failed"; exit 3; }"#;
    let spec = spec.sh(&format!("{failing}\n{HOLD}")).set("datum_tries", 2);
    let requests = serde_json::json!({"memory": "100M"});
    let spec = spec.set("resource_requests", requests);
    let job = run(&workspace, &spec, &["--workers", "1", "--memory", "290M"]);
    assert_eq!(job.counts(), "1: 1 failed");
    let reason = datums(&workspace)[0]["reason"].to_string();
    assert!(reason.contains("needed more than"), "{reason}");
    assert_eq!(
        attempts(&workspace),
        [3],
        "100 MB, the failure, all there is"
    );
}

#[test]
fn a_datum_that_fills_scratch_beyond_the_limit_is_ended_by_name_and_no_other() {
    let workspace = Workspace::new();
    for (name, megabytes) in [("a", "60"), ("b", "1"), ("c", "1")] {
        workspace.file(&format!("in/{name}"), megabytes);
    }
    let fill = r#"head -c "$(cat "$in")M" /dev/zero > "/pfs/out/$(basename "$in")"
        test "$(cat "$in")" = 1 || sleep 60"#;
    let spec = Spec::new("made").reads("in", "/*").sh(fill);
    let job = run(&workspace, &spec, &["--scratch-limit", "20M"]);
    assert_eq!(job.counts(), "3: 2 processed, 1 failed");
    let reason = datums(&workspace)[0]["reason"].to_string();
    assert!(reason.contains("filled "), "{reason}");
    assert!(
        reason.contains("MB of scratch space; the limit is 20 MB"),
        "{reason}"
    );
    shows(
        &workspace,
        &["explain", "last"],
        &["out of scratch space", "--scratch-limit"],
    );
}
