//! How a command is run: its arguments, surroundings, attempts, limits and ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use drover_tests::{Job, Spec, Workspace, files, is_root};

/// A workspace with the file `in/a`, whose content is `ant`.
fn one_file() -> Workspace {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace
}

fn spec(script: &str) -> Spec {
    Spec::new("made").reads("in", "/*").sh(script)
}

/// Asserts that the reason of a failed job holds each of the words.
#[track_caller]
fn because(job: &Job, words: &[&str]) {
    for word in words {
        assert!(
            job.reason().contains(word),
            "the reason does not say {word:?}: {}",
            job.reason()
        );
    }
}

#[test]
fn a_command_runs_without_a_shell() {
    let workspace = one_file();
    workspace.succeeds(&spec("").cmd(&["cp", "/pfs/in/a", "/pfs/out/$HOME *"]));
    assert_eq!(workspace.tree("made"), files([("$HOME *", "ant\n")]));
}

#[test]
fn stdin_lines_are_joined_and_ended() {
    let workspace = one_file();
    let lines = vec!["one", "two  $HOME", ""];
    workspace.succeeds(
        &spec("")
            .cmd(&["tee", "/pfs/out/said"])
            .set("transform.stdin", lines),
    );
    assert_eq!(
        workspace.tree("made"),
        files([("said", "one\ntwo  $HOME\n\n")])
    );
}

#[test]
fn a_command_need_not_read_its_stdin() {
    let workspace = one_file();
    workspace.succeeds(
        &spec("")
            .cmd(&["true"])
            .set("transform.stdin", vec!["x".repeat(1 << 20)]),
    );
}

#[test]
fn without_stdin_a_command_reads_nothing() {
    let workspace = one_file();
    workspace.succeeds(&spec("").cmd(&["cp", "/dev/stdin", "/pfs/out/said"]));
    assert_eq!(workspace.tree("made"), files([("said", "")]));
}

#[test]
fn a_failing_command_is_tried_as_often_as_the_spec_says() {
    let workspace = one_file();
    let script =
        r#"echo "$DROVER_ATTEMPT" >> "$OUTSIDE/attempts"; echo 'no such column' >&2; exit 4"#;
    let job = workspace.fails(&spec(script).set("datum_tries", 3));
    assert_eq!(job.counts(), "1: 1 failed");
    assert_eq!(
        std::fs::read_to_string(workspace.outside("attempts")).unwrap(),
        "1\n2\n3\n"
    );
    because(&job, &["no such column", "4"]);
}

#[test]
fn three_attempts_are_the_default() {
    let workspace = one_file();
    let mut spec = spec(r#"echo >> "$OUTSIDE/attempts"; exit 1"#);
    spec.0.as_object_mut().unwrap().remove("datum_tries");
    workspace.fails(&spec);
    assert_eq!(workspace.line_count("attempts"), 3);
}

#[test]
fn a_later_attempt_may_succeed_and_leaves_no_trace_of_the_earlier() {
    let workspace = one_file();
    let script = r#"
        echo "$DROVER_ATTEMPT" > "/pfs/out/attempt-$DROVER_ATTEMPT"
        test "$DROVER_ATTEMPT" = 2"#;
    let job = workspace.succeeds(&spec(script).set("datum_tries", 2));
    assert_eq!(job.counts(), "1: 1 processed");
    assert_eq!(workspace.tree("made"), files([("attempt-2", "2\n")]));
}

#[test]
fn accepted_exit_codes_are_successes() {
    let workspace = one_file();
    let accepting =
        spec("echo x > /pfs/out/x; exit 7").set("transform.accept_return_code", vec![6, 7]);
    workspace.succeeds(&accepting);
    assert_eq!(workspace.tree("made"), files([("x", "x\n")]));
    let job = workspace.fails(&spec("exit 8").set("transform.accept_return_code", vec![6, 7]));
    because(&job, &["8"]);
}

#[test]
fn a_command_ended_by_a_signal_has_failed() {
    let job =
        one_file().fails(&spec("kill -SEGV $$").set("transform.accept_return_code", vec![139, 11]));
    because(&job, &["signal"]);
}

#[test]
fn err_cmd_runs_once_after_the_last_attempt_on_the_same_inputs() {
    let workspace = one_file();
    let forgiving = spec(r#"echo cmd >> "$OUTSIDE/runs"; echo junk > /pfs/out/junk; exit 1"#)
        .set("datum_tries", 2)
        .set("transform.err_cmd", vec!["sh"])
        .set(
            "transform.err_stdin",
            vec![r#"echo err >> "$OUTSIDE/runs"; echo half > /pfs/out/half; grep ant "$in""#],
        );
    let job = workspace.succeeds(&forgiving);
    assert_eq!(job.counts(), "1: 1 recovered");
    assert_eq!(
        workspace.tally("runs"),
        [("cmd".to_owned(), 2), ("err".to_owned(), 1)].into()
    );
    assert!(
        workspace.tree("made").is_empty(),
        "the output of a recovered datum is thrown away"
    );
}

#[test]
fn err_cmd_does_not_run_after_a_success() {
    let workspace = one_file();
    workspace.succeeds(
        &spec("true")
            .set("transform.err_cmd", vec!["sh"])
            .set("transform.err_stdin", vec![r#"echo >> "$OUTSIDE/err""#]),
    );
    assert_eq!(workspace.line_count("err"), 0);
}

#[test]
fn a_job_counts_processed_recovered_and_failed_apart() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let strict = spec(r#"test "$(cat "$in")" = 0"#)
        .set("transform.err_cmd", vec!["sh"])
        .set("transform.err_stdin", vec![r#"test "$(cat "$in")" = 2"#]);
    assert_eq!(
        workspace.fails(&strict).counts(),
        "3: 1 processed, 1 failed, 1 recovered"
    );
    let lenient = strict.set("transform.err_stdin", vec!["true"]);
    assert_eq!(
        workspace.succeeds(&lenient).counts(),
        "3: 1 skipped, 2 recovered"
    );
}

#[test]
fn accepted_exit_codes_hold_for_err_cmd_too() {
    let forgiving = spec("exit 1")
        .set("transform.err_cmd", vec!["sh", "-c", "exit 7"])
        .set("transform.accept_return_code", vec![7]);
    assert_eq!(one_file().succeeds(&forgiving).counts(), "1: 1 recovered");
}

#[test]
fn the_environment_tells_what_a_command_needs() {
    let workspace = one_file();
    let job = workspace.succeeds(
        &spec("env > /pfs/out/env").set("transform.env", serde_json::json!({ "LEVEL": "9 %" })),
    );
    let env = std::fs::read_to_string(workspace.path("made/env")).unwrap();
    let expected = [
        "in=/pfs/in/a".to_owned(),
        format!("PACH_JOB_ID={}", job.id()),
        format!("PACH_OUTPUT_COMMIT_ID={}", job.id()),
        "PPS_PIPELINE_NAME=made".to_owned(),
        "PFS=/pfs".to_owned(),
        "DROVER_ATTEMPT=1".to_owned(),
        "DROVER_DATUM_INDEX=0".to_owned(),
        "LEVEL=9 %".to_owned(),
    ];
    for line in expected {
        assert!(env.lines().any(|each| each == line), "no {line} in\n{env}");
    }
    for variable in [
        "in_COMMIT=",
        "PACH_DATUM_ID=",
        "DROVER_WORKER=",
        "PATH=",
        "TMPDIR=/tmp",
    ] {
        assert!(
            env.lines().any(|each| each.starts_with(variable)),
            "no {variable} in\n{env}"
        );
    }
}

#[test]
fn credentials_do_not_reach_the_command() {
    let workspace = one_file();
    let path = workspace.spec(&spec("env > /pfs/out/env"));
    let mut command = workspace.command(&["run", path.as_str()]);
    let secrets = [
        "DROVER_BROKER",
        "AWS_SECRET_ACCESS_KEY",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "AZURE_STORAGE_KEY",
    ];
    for name in secrets {
        command.env(name, "hush-hush");
    }
    command.env("HARMLESS", "passed on");
    workspace.start_command(command).finish().code(0);
    let env = std::fs::read_to_string(workspace.path("made/env")).unwrap();
    assert!(!env.contains("hush-hush"), "{env}");
    assert!(env.contains("HARMLESS=passed on"), "{env}");
}

#[test]
fn join_and_group_keys_are_told() {
    let workspace = Workspace::new();
    workspace.file("a/k1.x", "");
    workspace.file("b/k1.y", "");
    let join = serde_json::json!({ "join": [
        { "pfs": { "repo": "a", "glob": "/(*).x", "join_on": "$1" } },
        { "pfs": { "repo": "b", "glob": "/(*).y", "join_on": "$1-" , "name": "second" } },
    ] });
    let spec = spec("env > /pfs/out/env").set("input", join);
    assert_eq!(workspace.succeeds(&spec).counts(), "0: ");
    let spec = spec.set(
        "input.join",
        serde_json::json!([
            { "pfs": { "repo": "a", "glob": "/(*).x", "join_on": "$1" } },
            { "pfs": { "repo": "b", "glob": "/(*).y", "join_on": "$1" , "name": "second" } },
        ]),
    );
    workspace.succeeds(&spec);
    let env = std::fs::read_to_string(workspace.path("made/env")).unwrap();
    for line in [
        "PACH_DATUM_a_JOIN_ON=k1",
        "PACH_DATUM_second_JOIN_ON=k1",
        "second=/pfs/second/k1.y",
    ] {
        assert!(env.lines().any(|each| each == line), "no {line} in\n{env}");
    }
}

#[test]
fn the_working_directory_is_the_callers_or_the_specs() {
    let workspace = one_file();
    workspace.succeeds(&spec("pwd > /pfs/out/here"));
    let store = format!("{}\n", workspace.store().display());
    assert_eq!(workspace.tree("made"), files([("here", &store)]));
    workspace.succeeds(&spec("pwd > /pfs/out/here").set("transform.working_dir", "/pfs/in"));
    assert_eq!(workspace.tree("made"), files([("here", "/pfs/in\n")]));
    because(
        &workspace.fails(&spec("true").set("transform.working_dir", "/no/such/workspace")),
        &["/no/such/workspace"],
    );
}

#[test]
fn a_script_beside_the_caller_is_found() {
    let workspace = one_file();
    workspace.file("made.sh", "#!/bin/sh\ncp /pfs/in/a /pfs/out/\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(workspace.path("made.sh"), mode).unwrap();
    workspace.succeeds(&spec("").cmd(&["./made.sh"]));
    assert_eq!(workspace.tree("made"), files([("a", "ant\n")]));
}

#[test]
fn a_command_that_cannot_start_is_named() {
    let workspace = one_file();
    because(
        &workspace.fails(&spec("").cmd(&["no-such-command"])),
        &["no-such-command"],
    );
    because(
        &workspace.fails(&spec("").cmd(&["/pfs/in/a"])),
        &["/pfs/in/a"],
    );
    because(&workspace.fails(&spec("").cmd(&["/etc"])), &["/etc"]);
    workspace.file("in/a", "#!/no/such/interpreter\n");
    because(&workspace.fails(&spec("").cmd(&["/pfs/in"])), &["/pfs/in"]);
}

#[test]
fn a_user_is_looked_up() {
    let workspace = one_file();
    let script = r#"(id -u; id -g; echo "$HOME") > /pfs/out/id"#;
    let as_nobody = spec(script).set("transform.user", "nobody");
    if is_root() {
        workspace.succeeds(&as_nobody);
        let nogroup = std::fs::read_to_string(workspace.path("made/id")).unwrap();
        assert!(nogroup.starts_with("65534\n"), "{nogroup}");
        workspace.succeeds(&as_nobody.set("transform.user", "1234:5678"));
        assert_eq!(workspace.tree("made"), files([("id", "1234\n5678\n/\n")]));
    } else {
        because(&workspace.fails(&as_nobody), &["nobody"]);
    }
    because(
        &workspace.fails(&spec("true").set("transform.user", "nobody-knows")),
        &["nobody-knows"],
    );
}

#[test]
fn what_lies_in_a_folder_that_a_group_shares_is_shared_but_for_what_commands_make() {
    let workspace = one_file();
    fs::set_permissions(workspace.store(), Permissions::from_mode(0o2775)).unwrap();
    workspace.succeeds(&spec("umask > /pfs/out/umask"));
    let usual = Command::new("sh").args(["-c", "umask"]).output().unwrap();
    let usual = String::from_utf8(usual.stdout).unwrap();
    assert_eq!(workspace.tree("made"), files([("umask", usual.as_str())]));
    let closed = Command::new("find")
        .args([".drover", "made", "-type", "d", "!", "-perm", "-2070"])
        .current_dir(workspace.store())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(closed.stdout).unwrap(), "");
}

#[test]
fn a_command_past_its_time_limit_is_killed_and_tried_again() {
    let workspace = one_file();
    let script = r#"echo >> "$OUTSIDE/runs"; if [ -e /tmp/slept ]; then exit 0; fi; touch /tmp/slept; sleep 1000"#;
    let job = workspace.succeeds(
        &spec(script)
            .set("datum_timeout", "1s")
            .set("datum_tries", 2),
    );
    assert_eq!(job.counts(), "1: 1 processed");
    assert_eq!(workspace.line_count("runs"), 2);
}

#[test]
fn a_command_that_ignores_the_polite_request_is_killed() {
    let workspace = one_file();
    let stubborn =
        spec("trap '' TERM INT HUP; while :; do sleep 0.1; done").set("datum_timeout", "300ms");
    let job = workspace
        .start_run(&stubborn, &["--term-grace", "200ms"])
        .finish()
        .code(1)
        .job();
    because(&job, &["time"]);
}

#[test]
fn a_job_past_its_time_limit_is_killed() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 4);
    let slow =
        spec(r#"if [ "$(cat "$in")" = 0 ]; then exit 0; fi; sleep 1000"#).set("job_timeout", "2s");
    let job = workspace.run(&slow).code(3).job();
    assert_eq!(job.state(), "killed");
    because(&job, &["time"]);
    assert!(workspace.tree("made").is_empty());
}

#[test]
fn output_of_any_size_on_stdout_and_stderr_is_kept() {
    let workspace = one_file();
    let noisy = spec("seq 1 200000; seq 1 200000 >&2; printf 'no newline at the end'");
    workspace.succeeds(&noisy);
    let logs = workspace.call(&["logs", "last"]).code(0).stdout;
    assert!(
        logs.contains("200000") && logs.contains("no newline at the end"),
        "the end of the log is missing"
    );
    assert!(
        logs.lines().count() >= 400_001,
        "{} lines",
        logs.lines().count()
    );
}

#[test]
fn datums_may_travel_in_sets() {
    for set in [
        serde_json::json!({ "number": 4 }),
        serde_json::json!({ "size_bytes": 5 }),
        serde_json::json!({ "per_worker": 2 }),
    ] {
        let workspace = Workspace::new();
        workspace.numbered_files("in", 11);
        let spec = Spec::new("copies")
            .reads("in", "/*")
            .set("datum_set_spec", set);
        assert_eq!(workspace.succeeds(&spec).counts(), "11: 11 processed");
        assert_eq!(workspace.tree("copies"), workspace.tree("in"));
    }
}

#[test]
fn lazy_inputs_are_pipes_and_empty_ones_have_no_bytes() {
    let workspace = one_file();
    let input =
        |field: &str| serde_json::json!({ "pfs": { "repo": "in", "glob": "/*", field: true } });
    workspace
        .succeeds(&spec(r#"test -p "$in" && cat "$in" > /pfs/out/a"#).set("input", input("lazy")));
    assert_eq!(workspace.tree("made"), files([("a", "ant\n")]));
    workspace.succeeds(
        &spec(r#"test -f "$in" && cat "$in" > /pfs/out/a"#).set("input", input("empty_files")),
    );
    assert_eq!(workspace.tree("made"), files([("a", "")]));
    workspace.succeeds(&spec("echo unread > /pfs/out/a").set("input", input("lazy")));
}

#[test]
fn excluded_files_are_not_there() {
    let workspace = Workspace::new();
    workspace.file("in/a/x.txt", "1");
    workspace.file("in/a/x.tmp", "2");
    workspace.file("in/a/deep/y.tmp", "3");
    let input = serde_json::json!({ "pfs": { "repo": "in", "glob": "/*", "exclude": "/**.tmp" } });
    workspace.succeeds(&Spec::new("copies").set("input", input));
    assert_eq!(workspace.tree("copies"), files([("a/x.txt", "1")]));
}

#[test]
fn a_directory_without_files_is_an_empty_directory() {
    let workspace = Workspace::new();
    workspace.file("in/a/x.tmp", "1");
    let spec = spec("ls -A /pfs/in > /pfs/out/listed");
    for field in ["lazy", "empty_files", "name"] {
        let mut input = serde_json::json!({ "repo": "in", "glob": "/", "exclude": "/**.tmp" });
        input[field] = if field == "name" {
            "in".into()
        } else {
            true.into()
        };
        let spec = spec
            .clone()
            .set("input", serde_json::json!({ "pfs": input }));
        workspace.succeeds(&spec);
        assert_eq!(workspace.tree("made"), files([("listed", "")]), "{field}");
    }
}

#[test]
fn excluded_links_and_special_files_hinder_nothing() {
    let place = Workspace::new();
    place.file("in/a/x.txt", "1");
    let odd = place.path("in/a/odd");
    std::fs::create_dir(&odd).unwrap();
    std::os::unix::fs::symlink("/etc", odd.join("leaves")).unwrap();
    std::os::unix::fs::symlink("nowhere", odd.join("dangles")).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(odd.join("fifo"))
        .status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/etc", place.path("in/a/link.odd")).unwrap();
    for glob in ["/*", "/"] {
        let exclude = ["/a/odd", "/**.odd"];
        let input =
            serde_json::json!({ "pfs": { "repo": "in", "glob": glob, "exclude": exclude } });
        place.succeeds(&Spec::new("copies").set("input", input));
        assert_eq!(place.tree("copies"), files([("a/x.txt", "1")]), "{glob}");
    }
}
