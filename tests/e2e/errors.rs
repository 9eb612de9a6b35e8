//! Bad luck and bad input: an error that names the thing and the way out; nothing lost, nothing hung.

use std::fs;
use std::process::Command;

use drover_tests::{Outcome, Spec, Tree, Workspace, drover, eventually, is_root};

fn copies() -> Spec {
    Spec::new("copies").reads("in", "/*")
}

/// Runs a shell script in a mount namespace of its own, where `$STORE` is the store and `drover_run` runs the spec there.
#[track_caller]
fn in_mount_namespace(place: &Workspace, spec: &Spec, script: &str) -> Outcome {
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
        .env("SPEC", place.spec(spec));
    command
        .env("STORE", place.store())
        .env("OUTSIDE", place.outside(""));
    place.start_command(command).finish()
}

/// Asserts that it did not succeed and that it says each of `words`.
#[track_caller]
fn refuses(outcome: &Outcome, words: &[&str]) {
    assert!(
        matches!(outcome.status.code(), Some(1..=4)),
        "{}",
        outcome.told()
    );
    for word in words {
        assert!(
            outcome.told().contains(word),
            "it does not say {word:?}: {}",
            outcome.told()
        );
    }
}

#[test]
fn a_missing_folder_is_named() {
    let place = Workspace::new();
    place.file("input/a", "");
    refuses(&place.run(&copies()), &["in"]);
    assert!(!place.path("in").exists());
}

#[test]
fn a_missing_store_is_named() {
    let place = Workspace::new();
    let spec = place.spec(&copies());
    refuses(
        &place.call(&["run", "--store", "/no/such/store", &spec]),
        &["/no/such/store"],
    );
    refuses(
        &place.call(&["jobs", "--store", "/no/such/store"]),
        &["/no/such/store"],
    );
}

#[test]
fn a_store_that_cannot_be_reached_exits_with_4() {
    let place = Workspace::new();
    let path = place.spec(&copies());
    let mut command = place.command(&["run", "--store", "s3://no-such-bucket", &path]);
    command
        .env("AWS_ENDPOINT", "http://127.0.0.1:9")
        .env("AWS_ALLOW_HTTP", "true")
        .env("AWS_REGION", "none");
    command
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", "hush-hush");
    let outcome = place.start_command(command).finish().code(4);
    assert!(!outcome.told().contains("hush-hush"), "{}", outcome.told());
}

#[test]
fn a_glob_that_does_not_parse_is_shown() {
    let place = Workspace::new();
    place.file("in/a", "");
    place
        .run(&copies().reads("in", "/[a"))
        .code(2)
        .says(&["/[a"]);
}

#[test]
fn a_read_only_store_is_named() {
    let place = Workspace::new();
    place.file("in/a", "");
    let script =
        r#"mount --bind "$STORE" "$STORE" && mount -o remount,bind,ro "$STORE" && drover_run"#;
    refuses(
        &in_mount_namespace(&place, &copies(), script),
        &["ead-only"],
    );
    place.succeeds(&copies());
}

#[test]
fn a_full_disk_hangs_nothing_and_the_next_run_with_room_goes_on() {
    let place = Workspace::new();
    place.numbered_files("in", 8);
    let spec = copies()
        .sh(r#"head -c 200000 /dev/zero > "/pfs/out/big-$(basename "$in")" && cp "$in" /pfs/out/"#);
    let script = r#"
        cp -R "$STORE/in" "$OUTSIDE/in"; mount -t tmpfs -o size=8m none "$STORE"; cp -R "$OUTSIDE/in" "$STORE/in"
        cat /dev/zero > "$STORE/ballast" 2> "$OUTSIDE/full"; truncate -s -1000000 "$STORE/ballast"
        drover_run; echo $? > "$OUTSIDE/first"
        rm "$STORE/ballast"; drover_run > "$OUTSIDE/second"; echo $? >> "$OUTSIDE/first"
        cp -R "$STORE/copies" "$OUTSIDE/copies""#;
    let outcome = in_mount_namespace(&place, &spec, script).code(0);
    let codes = fs::read_to_string(place.outside("first")).unwrap();
    assert!(
        matches!(codes.as_str(), "1\n0\n" | "4\n0\n"),
        "exit codes {codes}: {}",
        outcome.told()
    );
    assert!(outcome.told().contains("space"), "{}", outcome.told());
    let copies = Tree::read(&place.outside("copies"));
    assert_eq!(copies.len(), 16, "{copies:?}");
}

#[test]
fn a_corrupted_record_is_named_and_does_not_hide_the_others() {
    let place = Workspace::new();
    place.file("in/a", "");
    let first = place.succeeds(&copies());
    let second = place.succeeds(&copies());
    place.file(
        &format!(".drover/jobs/{}/record.json", first.id()),
        "{ \"job\": tru",
    );
    let jobs = place.call(&["jobs", "--output", "json"]);
    assert!(jobs.stdout.contains(second.id()), "{}", jobs.told());
    assert!(
        jobs.told().contains(first.id()),
        "the broken one is not named: {}",
        jobs.told()
    );
    refuses(&place.call(&["job", first.id()]), &[first.id()]);
    assert_eq!(place.succeeds(&copies()).counts(), "1: 1 skipped");
}

#[test]
fn corrupted_books_are_recovered_or_named_with_the_way_out() {
    for book in ["done", "published"] {
        let place = Workspace::new();
        place.numbered_files("in", 3);
        place.succeeds(&copies());
        let path = format!(".drover/pipelines/copies/{book}");
        assert!(place.path(&path).exists(), "{path} is not there");
        for damage in [
            &b""[..],
            b"\0\xff garbage \0",
            &fs::read(place.path(&path)).unwrap()[1..],
        ] {
            fs::write(place.path(&path), damage).unwrap();
            place.file("in/000", format!("{damage:?}"));
            let outcome = place.run(&copies());
            if outcome.status.code() != Some(0) {
                refuses(&outcome, &["copies"]);
                let told = outcome.told();
                assert!(
                    told.contains("remove it") || told.contains("move it away"),
                    "{told}"
                );
                let _ = fs::remove_file(place.path(&path));
                fs::remove_dir_all(place.path("copies")).unwrap();
                place.succeeds(&copies());
            }
            assert_eq!(
                place.tree("copies"),
                place.tree("in"),
                "after damage to {book}"
            );
        }
    }
}

#[test]
fn a_damaged_content_cache_is_made_anew() {
    let place = Workspace::new();
    place.numbered_files("in", 3);
    place.succeeds(&copies());
    let cache = place.path(".drover/cache");
    for file in fs::read_dir(&cache).into_iter().flatten().flatten() {
        if file.path().is_file() {
            fs::write(file.path(), "\0 garbage").unwrap();
        }
    }
    place.file("in/000", "changed\n");
    assert_eq!(
        place.succeeds(&copies()).counts(),
        "3: 1 processed, 2 skipped"
    );
    assert_eq!(place.tree("copies"), place.tree("in"));
}

#[test]
fn staged_output_that_vanished_is_made_again() {
    let place = Workspace::new();
    place.numbered_files("in", 3);
    let job = place.succeeds(&copies());
    fs::remove_dir_all(place.path(&format!(".drover/jobs/{}", job.id()))).unwrap();
    fs::remove_dir_all(place.path("copies")).unwrap();
    // One run may have to find out; the one after it must be whole.
    let first = place.run(&copies());
    if first.status.code() != Some(0) {
        place.succeeds(&copies());
    }
    assert_eq!(place.tree("copies"), place.tree("in"));
}

#[test]
fn an_input_that_vanishes_while_the_job_runs_fails_its_datum_alone() {
    let place = Workspace::new();
    place.numbered_files("in", 30);
    let script = r#"echo >> "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/"#;
    let running = place.start_run(&copies().sh(script), &["--workers", "1"]);
    eventually("the first command ran", || place.told("started") > 0);
    place.remove("in/029");
    place.open_gate("gate");
    let job = running.finish().code(1).job();
    assert_eq!(job.counts(), "30: 29 processed, 1 failed");
    assert!(job.reason().contains("029"), "{}", job.reason());
}

#[test]
fn an_input_that_changes_while_the_job_runs_is_never_taken_for_the_old_one() {
    let place = Workspace::new();
    place.numbered_files("in", 20);
    let script = r#"echo >> "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/"#;
    let running = place.start_run(&copies().sh(script), &["--workers", "1"]);
    eventually("the first command ran", || place.told("started") > 0);
    place.file("in/019", "changed meanwhile\n");
    place.open_gate("gate");
    running.finish();
    place.succeeds(&copies().sh(script));
    assert_eq!(place.tree("copies"), place.tree("in"));
}

#[test]
fn many_failures_are_told_by_cause() {
    let place = Workspace::new();
    place.numbered_files("in", 12);
    let script = r#"n=$(cat "$in"); if [ $((n % 3)) = 0 ]; then echo "row $n: no such column" >&2; exit 1; fi
        if [ $((n % 3)) = 1 ]; then kill -9 $$; fi; cp "$in" /pfs/out/"#;
    let spec = place.spec(&copies().sh(script));
    let outcome = place.call(&["run", &spec]).code(1);
    for word in ["8 of 12", "no such column", "drover logs", "drover retry"] {
        assert!(
            outcome.told().contains(word),
            "it does not say {word:?}: {}",
            outcome.told()
        );
    }
}
