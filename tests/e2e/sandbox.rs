//! A command sees its own datum only, and leaves nothing behind.

use std::fs;
use std::path::Path;

use drover_tests::{Signal, Spec, Workspace, eventually, files};

fn spec(script: &str) -> Spec {
    Spec::new("made").reads("in", "/*").sh(script)
}

#[test]
fn a_command_cannot_harm_its_inputs() {
    let workspace = Workspace::new();
    workspace.file("in/d/a", "ant\n");
    workspace.file("in/d/b", "bee\n");
    let before = workspace.tree("in");
    let vandal = r#"
        echo gotcha >> "$in/a"; true > "$in/b"; rm -rf "$in/a"; mv "$in/b" "$in/c"; chmod -R 777 "$in"
        ln "$in/a" /pfs/out/hard && echo gotcha >> /pfs/out/hard
        echo gotcha > "$in/a"; true"#;
    workspace.succeeds(&spec(vandal));
    assert_eq!(workspace.tree("in"), before);
}

#[test]
fn a_command_sees_only_its_own_inputs() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 5);
    let spec = spec(
        r#"ls /pfs > "/pfs/out/$(basename "$in")"; ls /pfs/in >> "/pfs/out/$(basename "$in")""#,
    );
    workspace
        .start_run(&spec, &["--workers", "2"])
        .finish()
        .code(0);
    assert_eq!(
        fs::read_to_string(workspace.path("made/003")).unwrap(),
        "in\nout\n003\n"
    );
}

#[test]
fn datums_that_run_at_once_do_not_see_each_other() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 2);
    // Each leaves a mark everywhere it may write, then waits until the other has done so, too.
    let script = r#"
        n=$(basename "$in"); touch "/tmp/$n" "/pfs/out/$n"; echo >> "$OUTSIDE/met"
        while [ "$(wc -l < "$OUTSIDE/met")" -lt 2 ]; do sleep 0.01; done
        ls /tmp /pfs/out /pfs/in > "/pfs/out/$n""#;
    workspace
        .start_run(&spec(script), &["--workers", "2"])
        .finish()
        .code(0);
    assert_eq!(
        fs::read_to_string(workspace.path("made/001")).unwrap(),
        "/pfs/in:\n001\n\n/pfs/out:\n001\n\n/tmp:\n001\n"
    );
}

#[test]
fn tmp_is_fresh_for_each_datum_and_kept_across_its_attempts() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 4);
    let script = r#"
        ls -A /tmp >> "$OUTSIDE/found-$DROVER_ATTEMPT"
        touch "/tmp/of-$(basename "$in")"; mkdir -p /tmp/deep/er; chmod 000 /tmp/deep/er
        test "$DROVER_ATTEMPT" = 2"#;
    workspace
        .start_run(&spec(script).set("datum_tries", 2), &["--workers", "1"])
        .finish()
        .code(0);
    assert_eq!(
        workspace.line_count("found-1"),
        0,
        "{:?}",
        workspace.tally("found-1")
    );
    assert_eq!(
        workspace.line_count("found-2"),
        8,
        "{:?}",
        workspace.tally("found-2")
    );
    assert!(!Path::new("/tmp/of-000").exists());
}

#[test]
fn a_store_below_tmp_is_reachable_all_the_same() {
    let workspace = Workspace::under(Path::new("/tmp"));
    workspace.file("in/a", "ant\n");
    workspace.succeeds(&spec(
        r#"cp "$in" /pfs/out/; ls -d "$OUTSIDE" > /pfs/out/outside; cat in/a > /pfs/out/relative"#,
    ));
    assert_eq!(workspace.tree("made").len(), 3);
}

#[test]
fn nothing_shows_on_the_machine() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    let (pfs, mounts) = (Path::new("/pfs").exists(), our_mounts(&workspace));
    let running = workspace.start_run(
        &spec(r#"touch "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#),
        &[],
    );
    eventually("the command ran", || workspace.outside("started").exists());
    assert_eq!(
        (Path::new("/pfs").exists(), our_mounts(&workspace)),
        (pfs, mounts)
    );
    workspace.open_gate("gate");
    running.finish().code(0);
}

fn our_mounts(workspace: &Workspace) -> usize {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
    mounts
        .lines()
        .filter(|line| line.contains(workspace.store().to_str().expect("UTF-8")))
        .count()
}

#[test]
fn background_children_neither_survive_nor_delay_the_datum() {
    let strays = [
        "sleep 1000 &",
        "setsid sleep 1000 &",
        "(setsid sh -c 'sleep 1000 & sleep 1000' &)",
        "nohup sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' &",
        "sleep 1000 & kill -STOP $!",
    ];
    let workspace = Workspace::new();
    for (number, stray) in strays.iter().enumerate() {
        workspace.file(&format!("in/{number}"), format!("{stray}\n"));
    }
    // Each process shares stdout and stderr with its parent, so a reader that waits for the end of the pipes waits
    // for ever.
    workspace.succeeds(&spec(
        r#"sh "$in"; echo done > "/pfs/out/$(basename "$in")""#,
    ));
    assert_eq!(workspace.tree("made").len(), strays.len());
    // Dropping the workspace asserts that no process is left.
}

#[test]
fn a_stray_child_is_gone_before_the_next_datum() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let script = r#"
        if [ -s "$OUTSIDE/stray" ] && kill -0 "$(cat "$OUTSIDE/stray")"; then exit 9; fi
        setsid sh -c 'while :; do echo >> "$OUTSIDE/beats"; sleep 0.02; done' &
        while [ ! -s "$OUTSIDE/beats" ]; do sleep 0.01; done"#;
    workspace
        .start_run(&spec(script), &["--workers", "1"])
        .finish()
        .code(0);
    let beats = workspace.line_count("beats");
    eventually("nothing of the workspace was left", || {
        workspace.processes().is_empty()
    });
    assert_eq!(workspace.line_count("beats"), beats);
}

#[test]
fn a_killed_drover_leaves_nothing_running() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 4);
    let script = r#"trap '' TERM INT HUP; setsid sleep 1000 & sleep 1000 & echo >> "$OUTSIDE/started"; sleep 1000; sleep 1000"#;
    let running = workspace.start_run(&spec(script), &["--workers", "2"]);
    eventually("two commands ran", || workspace.line_count("started") == 2);
    running.kill();
    eventually("nothing of the workspace was left", || {
        workspace.processes().is_empty()
    });
}

#[test]
fn a_killed_runner_costs_an_attempt_and_not_the_job() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let script = r#"
        echo >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
        cp "$in" /pfs/out/"#;
    let running = workspace.start_run(&spec(script).set("datum_tries", 3), &["--workers", "1"]);
    eventually("a command ran", || workspace.line_count("started") == 1);
    for helper in workspace
        .processes()
        .iter()
        .filter(|each| each.contains("__runner"))
    {
        let pid = helper.split(' ').next().unwrap().parse().unwrap();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
    eventually("it was tried again", || {
        workspace.line_count("started") >= 2
    });
    workspace.open_gate("gate");
    let job = running.finish().code(0).job();
    assert_eq!(job.counts(), "3: 3 processed");
    assert_eq!(workspace.tree("made"), workspace.tree("in"));
}

#[test]
fn hostile_names_stay_inside() {
    let workspace = Workspace::new();
    for name in ["-rf", "a b", "..x", "日本", "$(touch pwned)", "`x`", "a\nb"] {
        workspace.file(&format!("in/{name}/{name}"), "1");
    }
    workspace.succeeds(&spec(r#"cp -R "$in/." /pfs/out/"#));
    assert_eq!(workspace.tree("made").len(), 7);
}

#[test]
fn a_thousand_inputs_in_one_datum_are_fine() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 1000);
    let group = serde_json::json!({ "group": [{ "pfs": { "repo": "in", "glob": "/*" } }] });
    workspace.succeeds(&spec("cat /pfs/in/* | wc -l > /pfs/out/count").set("input", group));
    assert_eq!(workspace.tree("made"), files([("count", "1000\n")]));
}

#[test]
fn repo_store_scratch_and_working_directory_may_be_reached_through_links() {
    let workspace = Workspace::new();
    // Commands have a `/tmp` of their own.
    let far = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::write(far.path().join("a"), "1").unwrap();
    std::fs::create_dir(far.path().join("deep")).unwrap();
    std::fs::write(far.path().join("deep/b"), "2").unwrap();
    let link = |target: &std::path::Path, name: &str| {
        let link = workspace.outside(name);
        std::os::unix::fs::symlink(target, &link).unwrap();
        link.to_str().unwrap().to_owned()
    };
    std::os::unix::fs::symlink(far.path(), workspace.path("in")).unwrap();
    let store = link(&workspace.store(), "store");
    std::fs::create_dir(workspace.outside("real")).unwrap();
    let scratch = link(&workspace.outside("real"), "scratch");
    let script = r#"cat "$in" > "/pfs/out/$(basename "$in")""#;
    for (repo, glob) in [("files", "/{a,deep/b}"), ("directories", "/deep")] {
        let script = if repo == "files" {
            script
        } else {
            r#"cp "$in"/* /pfs/out/"#
        };
        let spec = Spec::new(repo).reads("in", glob).sh(script);
        let spec = workspace.spec(&spec);
        let mut command = workspace.command(&[
            "run",
            "--output",
            "json",
            "--store",
            &store,
            "--scratch",
            &scratch,
            &spec,
        ]);
        command.current_dir(&store);
        workspace.start_command(command).finish().code(0);
    }
    assert_eq!(workspace.tree("files"), files([("a", "1"), ("b", "2")]));
    assert_eq!(workspace.tree("directories"), files([("b", "2")]));
}

#[test]
fn store_scratch_and_working_directory_may_lie_in_the_directories_that_commands_have_for_themselves()
 {
    for folder in ["/tmp", "/dev/shm"] {
        let workspace = Workspace::under(Path::new(folder));
        workspace.numbered_files("in", 4);
        // The paths are there in the best sandboxes alone, which must not be lost.
        let script = r#"
            name=$(basename "$in"); cp "/pfs/in/$name" "/pfs/out/$name"
            for place in /tmp /dev/shm; do test ! -e $place/left && echo x > $place/left; done
            test ! -e "$OUTSIDE/../store/.drover/jobs""#;
        let scratch = workspace.outside("scratch");
        let scratch = ["--workers", "2", "--scratch", scratch.to_str().unwrap()];
        for more in [&[][..], &scratch] {
            let more = [more, &["--reprocess"]].concat();
            let job = workspace.start_run(&spec(script), &more).finish();
            assert_eq!(job.code(0).job().counts(), "4: 4 processed", "{folder}");
        }
        assert_eq!(workspace.tree("made"), workspace.tree("in"));
    }
}
