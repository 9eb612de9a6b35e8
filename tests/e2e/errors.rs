//! Bad luck and bad input: an error that names the thing and the way out; nothing lost, nothing hung.

use std::fs;
use std::process::Command;

use drover_tests::{Outcome, Spec, Tree, Workspace, drover, eventually, is_root};

fn copies() -> Spec {
    Spec::new("copies").reads("in", "/*")
}

/// Runs a shell script in a mount namespace of its own, where `$STORE` is the store and `drover_run` runs the spec there.
#[track_caller]
fn in_mount_namespace(workspace: &Workspace, spec: &Spec, script: &str) -> Outcome {
    let mut command = Command::new("unshare");
    let flags: &[&str] = if is_root() {
        &["--mount"]
    } else {
        &["--mount", "--map-root-user"]
    };
    command.args(flags).args(["--", "sh", "-c"]);
    command.arg(format!(
        "drover_run() {{ (cd \"$STORE\" && \"$DROVER\" run --output json \"$SPEC\"); }}\n{script}"
    ));
    command
        .env("DROVER", drover())
        .env("SPEC", workspace.spec(spec));
    command
        .env("STORE", workspace.store())
        .env("OUTSIDE", workspace.outside(""));
    workspace.start_command(command).finish()
}

/// Asserts a failure whose message contains each of `words`.
#[track_caller]
fn refuses(outcome: &Outcome, words: &[&str]) {
    assert!(
        matches!(outcome.status.code(), Some(1..=4)),
        "{}",
        outcome.transcript()
    );
    for word in words {
        assert!(
            outcome.transcript().contains(word),
            "it does not say {word:?}: {}",
            outcome.transcript()
        );
    }
}

#[test]
fn a_missing_folder_is_named() {
    let workspace = Workspace::new();
    workspace.file("input/a", "");
    refuses(&workspace.run(&copies()), &["in"]);
    assert!(!workspace.path("in").exists());
}

#[test]
fn a_missing_store_is_named() {
    let workspace = Workspace::new();
    let spec = workspace.spec(&copies());
    refuses(
        &workspace.call(&["run", "--store", "/no/such/store", &spec]),
        &["/no/such/store"],
    );
    refuses(
        &workspace.call(&["jobs", "--store", "/no/such/store"]),
        &["/no/such/store"],
    );
}

#[test]
fn a_store_that_cannot_be_reached_exits_with_4() {
    let workspace = Workspace::new();
    let path = workspace.spec(&copies());
    let mut command = workspace.command(&["run", "--store", "s3://no-such-bucket", &path]);
    command
        .env("AWS_ENDPOINT", "http://127.0.0.1:9")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "none");
    command
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "hush-hush");
    let outcome = workspace.start_command(command).finish().code(4);
    assert!(
        !outcome.transcript().contains("hush-hush"),
        "{}",
        outcome.transcript()
    );
}

#[test]
fn a_glob_that_does_not_parse_is_shown() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    workspace
        .run(&copies().reads("in", "/[a"))
        .code(2)
        .says(&["/[a"]);
}

#[test]
fn a_read_only_store_is_named() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let script =
        r#"mount --bind "$STORE" "$STORE" && mount -o remount,bind,ro "$STORE" && drover_run"#;
    refuses(
        &in_mount_namespace(&workspace, &copies(), script),
        &["ead-only"],
    );
    workspace.succeeds(&copies());
}

#[test]
fn a_full_disk_hangs_nothing_and_the_next_run_with_room_goes_on() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 8);
    let spec = copies()
        .sh(r#"head -c 200000 /dev/zero > "/pfs/out/big-$(basename "$in")" && cp "$in" /pfs/out/"#);
    let script = r#"
        cp -R "$STORE/in" "$OUTSIDE/in"; mount -t tmpfs -o size=8m none "$STORE"; cp -R "$OUTSIDE/in" "$STORE/in"
        cat /dev/zero > "$STORE/ballast" 2> "$OUTSIDE/full"; truncate -s -1000000 "$STORE/ballast"
        drover_run; echo $? > "$OUTSIDE/first"
        rm "$STORE/ballast"; drover_run > "$OUTSIDE/second"; echo $? >> "$OUTSIDE/first"
        cp -R "$STORE/copies" "$OUTSIDE/copies""#;
    let outcome = in_mount_namespace(&workspace, &spec, script).code(0);
    let codes = fs::read_to_string(workspace.outside("first")).unwrap();
    assert!(
        matches!(codes.as_str(), "1\n0\n" | "4\n0\n"),
        "exit codes {codes}: {}",
        outcome.transcript()
    );
    assert!(
        outcome.transcript().contains("space"),
        "{}",
        outcome.transcript()
    );
    let copies = Tree::read(&workspace.outside("copies"));
    assert_eq!(copies.len(), 16, "{copies:?}");
}

#[test]
fn a_corrupted_record_is_named_and_does_not_hide_the_others() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let first = workspace.succeeds(&copies());
    let second = workspace.succeeds(&copies());
    workspace.file(
        &format!(".drover/jobs/{}/record.json", first.id()),
        "{ \"job\": tru",
    );
    let jobs = workspace.call(&["jobs", "--output", "json"]);
    assert!(jobs.stdout.contains(second.id()), "{}", jobs.transcript());
    assert!(
        jobs.transcript().contains(first.id()),
        "the broken one is not named: {}",
        jobs.transcript()
    );
    refuses(&workspace.call(&["job", first.id()]), &[first.id()]);
    assert_eq!(workspace.succeeds(&copies()).counts(), "1: 1 skipped");
}

#[test]
fn corrupted_books_are_recovered_or_named_with_the_way_out() {
    for book in ["done", "published"] {
        let workspace = Workspace::new();
        workspace.numbered_files("in", 3);
        workspace.succeeds(&copies());
        let path = format!(".drover/pipelines/copies/{book}");
        assert!(workspace.path(&path).exists(), "{path} is not there");
        for damage in [
            &b""[..],
            b"\0\xff garbage \0",
            &fs::read(workspace.path(&path)).unwrap()[1..],
        ] {
            fs::write(workspace.path(&path), damage).unwrap();
            workspace.file("in/000", format!("{damage:?}"));
            let outcome = workspace.run(&copies());
            if outcome.status.code() != Some(0) {
                refuses(&outcome, &["copies"]);
                let told = outcome.transcript();
                assert!(
                    told.contains("remove it") || told.contains("move it away"),
                    "{told}"
                );
                let _ = fs::remove_file(workspace.path(&path));
                fs::remove_dir_all(workspace.path("copies")).unwrap();
                workspace.succeeds(&copies());
            }
            assert_eq!(
                workspace.tree("copies"),
                workspace.tree("in"),
                "after damage to {book}"
            );
        }
    }
}

#[test]
fn a_damaged_content_cache_is_made_anew() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    workspace.succeeds(&copies());
    let cache = workspace.path(".drover/cache");
    for file in fs::read_dir(&cache).into_iter().flatten().flatten() {
        if file.path().is_file() {
            fs::write(file.path(), "\0 garbage").unwrap();
        }
    }
    workspace.file("in/000", "changed\n");
    assert_eq!(
        workspace.succeeds(&copies()).counts(),
        "3: 1 processed, 2 skipped"
    );
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
}

#[test]
fn staged_output_that_vanished_is_made_again() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let job = workspace.succeeds(&copies());
    fs::remove_dir_all(workspace.path(&format!(".drover/jobs/{}", job.id()))).unwrap();
    fs::remove_dir_all(workspace.path("copies")).unwrap();
    // The first run may have to notice the damage; the next run must be whole.
    let first = workspace.run(&copies());
    if first.status.code() != Some(0) {
        workspace.succeeds(&copies());
    }
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
}

#[test]
fn an_input_that_vanishes_while_the_job_runs_fails_its_datum_alone() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 30);
    let script = r#"echo >> "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/"#;
    let running = workspace.start_run(&copies().sh(script), &["--workers", "1"]);
    eventually("the first command ran", || {
        workspace.line_count("started") > 0
    });
    workspace.remove("in/029");
    workspace.open_gate("gate");
    let job = running.finish().code(1).job();
    assert_eq!(job.counts(), "30: 29 processed, 1 failed");
    assert!(job.reason().contains("029"), "{}", job.reason());
}

#[test]
fn an_input_that_changes_while_the_job_runs_is_never_taken_for_the_old_one() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 20);
    let script = r#"echo >> "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/"#;
    let running = workspace.start_run(&copies().sh(script), &["--workers", "1"]);
    eventually("the first command ran", || {
        workspace.line_count("started") > 0
    });
    workspace.file("in/019", "changed meanwhile\n");
    workspace.open_gate("gate");
    running.finish();
    workspace.succeeds(&copies().sh(script));
    assert_eq!(workspace.tree("copies"), workspace.tree("in"));
}

#[test]
fn many_failures_are_told_by_cause() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 12);
    let script = r#"n=$(cat "$in"); if [ $((n % 3)) = 0 ]; then echo "row $n: no such column" >&2; exit 1; fi
        if [ $((n % 3)) = 1 ]; then kill -9 $$; fi; cp "$in" /pfs/out/"#;
    let spec = workspace.spec(&copies().sh(script));
    let outcome = workspace.call(&["run", &spec]).code(1);
    for word in ["8 of 12", "no such column", "drover logs", "drover retry"] {
        assert!(
            outcome.transcript().contains(word),
            "it does not say {word:?}: {}",
            outcome.transcript()
        );
    }
}
