//! Interfaces for scripts: exit codes, and JSON in exactly these shapes.

use std::collections::BTreeSet;

use drover_tests::{Spec, Workspace, eventually, files};
use serde_json::{Value, json};

fn copies() -> Spec {
    Spec::new("copies").reads("in", "/*")
}

/// A store with `in/a`, `in/b` and `in/c`.
fn three_files() -> Workspace {
    let workspace = Workspace::new();
    for name in ["a", "b", "c"] {
        workspace.file(&format!("in/{name}"), format!("{name}\n"));
    }
    workspace
}

/// Asserts the keys of an object.
#[track_caller]
fn has_keys(value: &Value, keys: &[&str]) {
    let found: BTreeSet<&str> = value
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, keys.iter().copied().collect(), "in {value}");
}

#[test]
fn a_job_record_has_the_documented_shape() {
    let workspace = three_files();
    let job = workspace.succeeds(&copies());
    let again = workspace
        .call(&["job", job.id(), "--output", "json"])
        .code(0)
        .job();
    let waited = workspace
        .call(&["wait", job.id(), "--output", "json"])
        .code(0)
        .job();
    assert_eq!((&again.0, &waited.0), (&job.0, &job.0));
    has_keys(
        &job.0,
        &[
            "job",
            "pipeline",
            "state",
            "reason",
            "created",
            "started",
            "finished",
            "datums",
            "stats",
            "usage",
            "redelivered",
            "duplicates",
        ],
    );
    has_keys(
        &job.0["datums"],
        &["total", "processed", "skipped", "failed", "recovered"],
    );
    has_keys(
        &job.0["stats"],
        &[
            "download_bytes",
            "upload_bytes",
            "download_time_s",
            "process_time_s",
            "upload_time_s",
        ],
    );
    assert_eq!(job.0["reason"], Value::Null);
    assert_eq!(job.0["stats"]["upload_bytes"], 6);
    assert_eq!(job.0["duplicates"], 0);
}

#[test]
fn a_plan_has_the_documented_shape() {
    let workspace = three_files();
    let spec = workspace.spec(&copies());
    let lines = workspace
        .call(&["plan", "--output", "json", &spec])
        .code(0)
        .lines();
    assert_eq!(lines.len(), 3);
    has_keys(&lines[1], &["index", "datum", "inputs"]);
    assert_eq!(lines[1]["index"], 1);
    has_keys(
        &lines[1]["inputs"][0],
        &[
            "name", "repo", "path", "kind", "size", "join_on", "group_by",
        ],
    );
    assert_eq!(
        lines[1]["inputs"],
        json!([{ "name": "in", "repo": "in", "path": "/b", "kind": "file", "size": 2, "join_on": null, "group_by": null }])
    );
    assert!(
        !workspace.path("copies").exists() && workspace.tree(".drover/jobs").is_empty(),
        "a plan leaves nothing behind"
    );
}

#[test]
fn a_list_of_datums_has_the_documented_shape() {
    let workspace = three_files();
    workspace.file("in/bad", "");
    let job = workspace
        .fails(&copies().sh(r#"test -s "$in" && cp "$in" "/pfs/out/copy-$(basename "$in")""#));
    let lines = workspace
        .call(&["datums", job.id(), "--output", "json"])
        .code(0)
        .lines();
    let states: Vec<_> = lines
        .iter()
        .map(|line| line["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["success", "success", "failed", "success"]);
    for line in &lines {
        has_keys(
            line,
            &[
                "index", "datum", "state", "attempts", "worker", "reason", "inputs", "outputs",
                "usage",
            ],
        );
    }
    let output = &lines[0]["outputs"][0];
    assert_eq!(
        (&output["path"], &output["size"]),
        (&json!("/copy-a"), &json!(2))
    );
    let hash = output["hash"].as_str().unwrap();
    assert!(hash.starts_with("blake3:") && hash.len() == 39, "{hash}");
    assert_eq!(lines[0]["attempts"], 1);
    assert_eq!(lines[0]["reason"], Value::Null);
    assert!(
        lines[2]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains('1')),
        "{}",
        lines[2]
    );

    let plan = workspace
        .call(&["plan", "--output", "json", &workspace.spec(&copies())])
        .code(0)
        .lines();
    let ids = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| line["inputs"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&plan), ids(&lines));
}

#[test]
fn a_plan_names_the_same_work_as_the_run() {
    let workspace = three_files();
    let plan = workspace
        .call(&["plan", "--output", "json", &workspace.spec(&copies())])
        .code(0)
        .lines();
    workspace.succeeds(&copies());
    let ran = workspace
        .call(&["datums", "last", "--output", "json"])
        .code(0)
        .lines();
    let ids = |lines: &[Value]| {
        lines
            .iter()
            .map(|line| line["datum"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&plan), ids(&ran));
}

#[test]
fn an_invalid_spec_is_refused_with_every_finding_and_its_line() {
    let workspace = three_files();
    let text = "pipeline:\n  name: made\ninput:\n  pfs:\n    repo: in\n    glob: /*\n    glub: 1\ntransform:\n  cmd: []\ndatum_tries: many\n";
    let spec = workspace.spec_text("made.yaml", text);
    for verb in ["run", "plan", "validate"] {
        let outcome = workspace.call(&[verb, "--output", "json", &spec]).code(2);
        let error = outcome.error();
        has_keys(&error, &["kind", "message", "findings"]);
        let findings = error["findings"].as_array().unwrap();
        let lines: BTreeSet<u64> = findings
            .iter()
            .filter_map(|finding| finding["line"].as_u64())
            .collect();
        assert!(lines.is_superset(&[7, 10].into()), "{findings:?}");
        for finding in findings {
            for key in ["file", "line", "column", "path", "message", "advice"] {
                assert!(finding.get(key).is_some(), "no {key} in {finding}");
            }
        }
    }
    workspace.call(&["run", &spec]).code(2).says(&[
        "made.yaml:7",
        "glub",
        "glob",
        "made.yaml:10",
        "datum_tries",
    ]);
    assert!(workspace.tree(".drover/jobs").is_empty());
}

#[test]
fn usage_errors_exit_with_2() {
    let workspace = three_files();
    let spec = workspace.spec(&copies());
    workspace
        .call(&["run", "--no-such-flag", &spec])
        .code(2)
        .says(&["--no-such-flag"]);
    workspace
        .call(&["no-such-verb"])
        .code(2)
        .says(&["no-such-verb"]);
    workspace
        .call(&["run", "--workers", "0", &spec])
        .code(2)
        .says(&["workers"]);
    workspace
        .call(&["run", "no-such-spec.yaml"])
        .code(2)
        .says(&["no-such-spec.yaml"]);
    workspace.call(&["run", "in"]).code(2).says(&["in"]);
    workspace.call(&["run"]).code(2);
    workspace.call(&["job", "last"]).code(2);
    workspace.succeeds(&copies());
    workspace
        .call(&["job", "not-an-id"])
        .code(2)
        .says(&["not-an-id"]);
}

#[test]
fn a_spec_comes_from_stdin_too() {
    let workspace = three_files();
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", r#""$0" run --output json - < "$1""#])
        .arg(drover_tests::drover())
        .arg(workspace.spec(&copies()));
    shell.current_dir(workspace.store());
    workspace.start_command(shell).finish().code(0);
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
}

#[test]
fn the_store_may_be_elsewhere() {
    let workspace = three_files();
    let spec = workspace.spec(&copies());
    let store = workspace.store();
    let store = store.to_str().unwrap();
    let elsewhere = |args: &[&str]| {
        let mut command = workspace.command(args);
        command.current_dir("/");
        command
    };
    workspace
        .start_command(elsewhere(&["run", "--store", store, &spec]))
        .finish()
        .code(0);
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
    let mut by_variable = elsewhere(&["jobs", "--output", "json"]);
    by_variable.env("DROVER_STORE", format!("file://{store}"));
    assert_eq!(
        workspace
            .start_command(by_variable)
            .finish()
            .code(0)
            .lines()
            .len(),
        1
    );
}

#[test]
fn a_repo_may_be_read_from_another_place() {
    let workspace = three_files();
    let other = Workspace::new();
    other.file("deep/x", "elsewhere\n");
    let from = format!("in={}", other.path("deep").display());
    workspace
        .start_run(&copies(), &["--input", &from])
        .finish()
        .code(0);
    assert_eq!(workspace.tree("copies"), files([("x", "elsewhere\n")]));
    let url = json!({ "pfs": { "name": "in", "repo": "in", "url": format!("file://{}", other.path("deep").display()), "glob": "/*" } });
    workspace.succeeds(&copies().set("input", url));
    assert_eq!(workspace.tree("copies"), files([("x", "elsewhere\n")]));
}

#[test]
fn output_for_people_has_no_escapes_without_a_terminal() {
    let workspace = three_files();
    let spec = workspace.spec(&copies());
    for args in [
        &["run", &spec][..],
        &["plan", &spec],
        &["jobs"],
        &["job", "last"],
        &["datums", "last"],
        &["explain", "last"],
        &["--help"],
    ] {
        let outcome = workspace.call(args).code(0);
        assert!(
            !outcome.transcript().contains('\x1b'),
            "{args:?}: {}",
            outcome.transcript()
        );
        assert!(
            !outcome.transcript().contains('\r'),
            "{args:?}: {}",
            outcome.transcript()
        );
    }
}

#[test]
fn stdout_is_data_and_stderr_is_talk() {
    let workspace = three_files();
    let spec = workspace.spec(&copies().sh("echo from the command; echo to its stderr >&2"));
    let outcome = workspace.call(&["run", "--output", "json", &spec]).code(0);
    outcome.job();
    assert!(!outcome.stdout.contains("from the command"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 500);
    let spec = workspace.spec(&copies());
    let mut shell = std::process::Command::new("sh");
    shell
        .args([
            "-c",
            r#"{ "$0" plan --output json "$1"; echo "$?" >&2; } | sed 1q"#,
        ])
        .arg(drover_tests::drover())
        .arg(&spec);
    shell.current_dir(workspace.store());
    let outcome = workspace.start_command(shell).finish().code(0);
    assert_eq!(outcome.stderr, "0\n", "{}", outcome.transcript());
}

#[test]
fn a_second_run_of_a_pipeline_waits_for_the_first_or_is_refused() {
    let workspace = three_files();
    let gated = copies().sh(r#"
        echo "$in" >> "$OUTSIDE/runs"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/"#);
    let first = workspace.start_run(&gated, &[]);
    eventually("the first one ran", || workspace.line_count("runs") > 0);
    let refused = workspace.start_run(&gated, &["--no-wait"]).finish();
    assert_ne!(refused.status.code(), Some(0));
    refused.says(&["copies"]);

    let second = workspace.start_run(&gated, &[]);
    eventually("the second one said that it waits", || {
        second.stderr().contains("wait")
    });
    workspace.open_gate("gate");
    assert_eq!(first.finish().code(0).job().counts(), "3: 3 processed");
    assert_eq!(second.finish().code(0).job().counts(), "3: 3 skipped");
    assert_eq!(workspace.line_count("runs"), 3);
}

#[test]
fn two_pipelines_run_beside_each_other() {
    let workspace = three_files();
    let meet = |name: &str| {
        Spec::new(name).reads("in", "/a").sh(r#"
            echo >> "$OUTSIDE/met"; while [ "$(wc -l < "$OUTSIDE/met")" -lt 2 ]; do sleep 0.01; done; cp "$in" /pfs/out/"#)
    };
    let (one, two) = (
        workspace.start_run(&meet("one"), &[]),
        workspace.start_run(&meet("two"), &[]),
    );
    one.finish().code(0);
    two.finish().code(0);
    assert_eq!(workspace.tree("one"), workspace.tree("two"));
}

#[test]
fn validate_prints_no_finding_for_a_good_spec_and_schema_is_json() {
    let workspace = three_files();
    workspace
        .call(&["validate", &workspace.spec(&copies())])
        .code(0);
    let schema: Value = serde_json::from_str(&workspace.call(&["schema"]).code(0).stdout).unwrap();
    assert!(schema["properties"]["transform"].is_object(), "{schema}");
}

#[test]
fn shells_complete_the_jobs_and_pipelines_of_the_store() {
    let workspace = three_files();
    let job = workspace.succeeds(&copies());
    let offered = |words: &[&str]| {
        let mut command = workspace.command(&[&["--", "drover"], words].concat());
        command.env("COMPLETE", "fish");
        workspace.start_command(command).finish().code(0).stdout
    };
    let id = job.short_id();
    let first = offered(&["logs", ""]);
    assert!(
        first.starts_with(&format!("{id}\tcopies success\nlast\tthe newest job\n")),
        "{first}"
    );
    assert_eq!(offered(&["job", "la"]), "last\tthe newest job\n");
    assert_eq!(offered(&["pause", "pipeline", "c"]), "copies\n");
    assert_eq!(offered(&["jobs", "--pipeline", ""]), "copies\n");
}

#[test]
fn people_see_the_short_id_of_a_job_and_every_command_takes_it() {
    let workspace = three_files();
    let job = workspace.fails(&copies().sh("exit 3"));
    let id = job.short_id();
    for verb in ["jobs", "explain"] {
        let listed = workspace.call(&[verb]).code(0);
        assert!(
            listed.stdout.contains(id) && !listed.stdout.contains(job.id()),
            "{}",
            listed.transcript()
        );
    }
    let told = workspace.call(&["job", id]).code(0);
    assert!(
        told.stdout.contains(&format!("drover logs {id} ")),
        "{}",
        told.transcript()
    );
    for verb in ["datums", "logs", "report"] {
        workspace.call(&[verb, id]).code(0);
    }
    workspace.call(&["wait", id]).code(1);
}

#[test]
fn the_log_of_a_datum_is_found_by_the_path_of_its_input() {
    let workspace = three_files();
    workspace.file("in/a b/c", "");
    workspace.succeeds(&Spec::new("copies").reads("in", "/**").sh("ls /pfs/in"));
    let log = |path: &str| workspace.call(&["logs", "--datum", path]);
    for path in [
        "in/a b/c",
        "/a b/c",
        "a b/c",
        workspace.path("in/a b/c").to_str().unwrap(),
    ] {
        log(path).code(0);
    }
    log("in/z").code(2).says(&["has no datum in/z"]);
    log("in/c").code(0);
    log("c")
        .code(2)
        .says(&["2 datums", "choose one by its index"]);
}

#[test]
fn a_pipe_fails_with_any_of_its_commands_but_may_leave_its_writer_unread() {
    let workspace = three_files();
    let run = |script: &str| {
        workspace.call(&[
            "run", "--tries", "1", "--glob", "in/*", "--out", "o", "--stdout", "{/}", "--", script,
        ])
    };
    run("cat {} | false | cat").code(1);
    run("yes | head -1; cat {}").code(0);
    run("cat {} | yes | head -1").code(0);
    run("false || cat {}").code(0);
}

#[test]
fn a_mistake_in_a_one_liner_is_told_with_the_way_out_before_anything_runs() {
    let workspace = three_files();
    workspace.file("list", "in/a\nin/missing\nin\n");
    workspace.file("zeros", "in/a\0in/b\0");
    let rows: [(&[&str], &str); 8] = [
        (&["--glob", "in/*", "--out", "o", "cat", "{}"], "after `--`"),
        (&["--glob", "in/*", "-o", "o", "--", "cat"], "--out NAME"),
        (
            &["--glob", "in/*", "--out", "in", "--", "cat"],
            "--out in is the very folder",
        ),
        (
            &["--glob", "'in/*'", "--out", "o", "--", "cat"],
            "one pair of quotes",
        ),
        (
            &["--glob", "~/in/*", "--out", "o", "--", "cat"],
            "begins with ~",
        ),
        (
            &["--glob", "in/*", "--out", "o", "-j", "-1", "--", "cat"],
            "1 to 65535",
        ),
        (
            &["--files-from", "list", "--out", "o", "--", "cat"],
            "in/missing does not exist, in is a directory",
        ),
        (
            &["--files-from", "zeros", "--out", "o", "--", "cat"],
            "add -0",
        ),
    ];
    for (words, expected) in rows {
        let refused = workspace.call(&[&["run"], words].concat()).code(2);
        refused.says(&[expected]);
    }
    assert_eq!(
        workspace.call(&["jobs", "--output", "json"]).code(0).stdout,
        ""
    );
}

#[test]
fn a_one_liner_without_a_match_tells_what_is_there() {
    let workspace = three_files();
    let run = |glob: &str| {
        workspace
            .call(&["run", "--glob", glob, "--out", "o", "--", "cat"])
            .code(0)
    };
    run("in/*.txt").says(&["no file matched", "it has, for example, a"]);
    run("in/A").says(&["differs in case from a"]);
    let marked = workspace.call(&[
        "run", "--glob", "in/*", "--out", "p", "--", "echo", "{in/}", "{file}",
    ]);
    marked.code(0).says(&["{file} is no placeholder"]);
}

#[test]
fn files_that_commands_leave_in_the_working_directory_are_named() {
    let workspace = three_files();
    let run = |script: &str| {
        workspace
            .call(&["run", "--glob", "in/*", "--out", "o", "--", script])
            .code(0)
    };
    run("cat {} > result.txt").says(&["warning: result.txt appeared in the working directory"]);
    let quiet = run("cat {} > {out}/{/}").transcript();
    assert!(!quiet.contains("warning"), "{quiet}");
}

#[test]
fn help_and_version_and_completions_work() {
    let workspace = Workspace::new();
    assert!(
        workspace
            .call(&["--version"])
            .code(0)
            .stdout
            .starts_with("drover ")
    );
    for verb in [
        "run", "plan", "validate", "schema", "jobs", "job", "datums", "logs", "wait", "stop",
        "retry", "explain",
    ] {
        assert!(
            workspace.call(&["--help"]).code(0).stdout.contains(verb),
            "{verb} is not in the help"
        );
        assert!(
            workspace
                .call(&[verb, "--help"])
                .code(0)
                .stdout
                .contains("Usage"),
            "{verb} has no help"
        );
    }
    assert!(
        workspace
            .call(&["completions", "bash"])
            .code(0)
            .stdout
            .contains("drover")
    );
}

#[test]
fn workers_run_at_once() {
    let workspace = three_files();
    let meet = copies().sh(r#"echo >> "$OUTSIDE/met"; while [ "$(wc -l < "$OUTSIDE/met")" -lt 3 ]; do sleep 0.01; done"#);
    workspace
        .start_run(&meet, &["--workers", "3"])
        .finish()
        .code(0);
    std::fs::remove_file(workspace.outside("met")).unwrap();
    workspace.succeeds(
        &meet
            .set("parallelism_spec", json!({ "constant": 3 }))
            .set("reprocess_spec", "every_job"),
    );
}
