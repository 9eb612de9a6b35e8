//! A command sees its own datum and nothing else, and nothing of it stays.

use std::fs;
use std::path::Path;

use drover_tests::{Signal, Spec, Workspace, eventually, files};

fn spec(script: &str) -> Spec {
    Spec::new("made").reads("in", "/*").sh(script)
}

#[test]
fn a_command_cannot_harm_its_inputs() {
    let place = Workspace::new();
    place.file("in/d/a", "ant\n");
    place.file("in/d/b", "bee\n");
    let before = place.tree("in");
    let vandal = r#"
        echo gotcha >> "$in/a"; true > "$in/b"; rm -rf "$in/a"; mv "$in/b" "$in/c"; chmod -R 777 "$in"
        ln "$in/a" /pfs/out/hard && echo gotcha >> /pfs/out/hard
        echo gotcha > "$in/a"; true"#;
    place.succeeds(&spec(vandal));
    assert_eq!(place.tree("in"), before);
}

#[test]
fn a_command_sees_only_its_own_inputs() {
    let place = Workspace::new();
    place.numbered_files("in", 5);
    let spec = spec(
        r#"ls /pfs > "/pfs/out/$(basename "$in")"; ls /pfs/in >> "/pfs/out/$(basename "$in")""#,
    );
    place.start_run(&spec, &["--workers", "2"]).finish().code(0);
    assert_eq!(
        fs::read_to_string(place.path("made/003")).unwrap(),
        "in\nout\n003\n"
    );
}

#[test]
fn datums_that_run_at_once_do_not_see_each_other() {
    let place = Workspace::new();
    place.numbered_files("in", 2);
    // Each leaves a mark everywhere it may write, then waits until the other has done so, too.
    let script = r#"
        n=$(basename "$in"); touch "/tmp/$n" "/pfs/out/$n"; echo >> "$OUTSIDE/met"
        while [ "$(wc -l < "$OUTSIDE/met")" -lt 2 ]; do sleep 0.01; done
        ls /tmp /pfs/out /pfs/in > "/pfs/out/$n""#;
    place
        .start_run(&spec(script), &["--workers", "2"])
        .finish()
        .code(0);
    assert_eq!(
        fs::read_to_string(place.path("made/001")).unwrap(),
        "/pfs/in:\n001\n\n/pfs/out:\n001\n\n/tmp:\n001\n"
    );
}

#[test]
fn tmp_is_fresh_for_each_datum_and_kept_across_its_attempts() {
    let place = Workspace::new();
    place.numbered_files("in", 4);
    let script = r#"
        ls -A /tmp >> "$OUTSIDE/found-$DROVER_ATTEMPT"
        touch "/tmp/of-$(basename "$in")"; mkdir -p /tmp/deep/er; chmod 000 /tmp/deep/er
        test "$DROVER_ATTEMPT" = 2"#;
    place
        .start_run(&spec(script).set("datum_tries", 2), &["--workers", "1"])
        .finish()
        .code(0);
    assert_eq!(place.told("found-1"), 0, "{:?}", place.tally("found-1"));
    assert_eq!(place.told("found-2"), 8, "{:?}", place.tally("found-2"));
    assert!(!Path::new("/tmp/of-000").exists());
}

#[test]
fn a_store_below_tmp_is_reachable_all_the_same() {
    let place = Workspace::under(Path::new("/tmp"));
    place.file("in/a", "ant\n");
    place.succeeds(&spec(
        r#"cp "$in" /pfs/out/; ls -d "$OUTSIDE" > /pfs/out/outside; cat in/a > /pfs/out/relative"#,
    ));
    assert_eq!(place.tree("made").len(), 3);
}

#[test]
fn nothing_shows_on_the_machine() {
    let place = Workspace::new();
    place.file("in/a", "ant\n");
    let (pfs, mounts) = (Path::new("/pfs").exists(), our_mounts(&place));
    let running = place.start_run(
        &spec(r#"touch "$OUTSIDE/started"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#),
        &[],
    );
    eventually("the command ran", || place.outside("started").exists());
    assert_eq!(
        (Path::new("/pfs").exists(), our_mounts(&place)),
        (pfs, mounts)
    );
    place.open_gate("gate");
    running.finish().code(0);
}

fn our_mounts(place: &Workspace) -> usize {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is there");
    mounts
        .lines()
        .filter(|line| line.contains(place.store().to_str().expect("UTF-8")))
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
    let place = Workspace::new();
    for (number, stray) in strays.iter().enumerate() {
        place.file(&format!("in/{number}"), format!("{stray}\n"));
    }
    // Each shares stdout and stderr with its parent, so that whoever waits for the end of those waits for ever.
    place.succeeds(&spec(
        r#"sh "$in"; echo done > "/pfs/out/$(basename "$in")""#,
    ));
    assert_eq!(place.tree("made").len(), strays.len());
    // That none is left is asserted when the workspace is dropped.
}

#[test]
fn a_stray_child_is_gone_before_the_next_datum() {
    let place = Workspace::new();
    place.numbered_files("in", 3);
    let script = r#"
        if [ -s "$OUTSIDE/stray" ] && kill -0 "$(cat "$OUTSIDE/stray")"; then exit 9; fi
        setsid sh -c 'while :; do echo >> "$OUTSIDE/beats"; sleep 0.02; done' &
        while [ ! -s "$OUTSIDE/beats" ]; do sleep 0.01; done"#;
    place
        .start_run(&spec(script), &["--workers", "1"])
        .finish()
        .code(0);
    let beats = place.told("beats");
    eventually("nothing of the workspace was left", || {
        place.processes().is_empty()
    });
    assert_eq!(place.told("beats"), beats);
}

#[test]
fn a_killed_drover_leaves_nothing_running() {
    let place = Workspace::new();
    place.numbered_files("in", 4);
    let script = r#"trap '' TERM INT HUP; setsid sleep 1000 & sleep 1000 & echo >> "$OUTSIDE/started"; sleep 1000; sleep 1000"#;
    let running = place.start_run(&spec(script), &["--workers", "2"]);
    eventually("two commands ran", || place.told("started") == 2);
    running.kill();
    eventually("nothing of the workspace was left", || {
        place.processes().is_empty()
    });
}

#[test]
fn a_killed_runner_costs_an_attempt_and_not_the_job() {
    let place = Workspace::new();
    place.numbered_files("in", 3);
    let script = r#"
        echo >> "$OUTSIDE/started"
        while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
        cp "$in" /pfs/out/"#;
    let running = place.start_run(&spec(script).set("datum_tries", 3), &["--workers", "1"]);
    eventually("a command ran", || place.told("started") == 1);
    for helper in place
        .processes()
        .iter()
        .filter(|each| each.contains("__runner"))
    {
        let pid = helper.split(' ').next().unwrap().parse().unwrap();
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
    eventually("it was tried again", || place.told("started") >= 2);
    place.open_gate("gate");
    let job = running.finish().code(0).job();
    assert_eq!(job.counts(), "3: 3 processed");
    assert_eq!(place.tree("made"), place.tree("in"));
}

#[test]
fn hostile_names_stay_inside() {
    let place = Workspace::new();
    for name in ["-rf", "a b", "..x", "日本", "$(touch pwned)", "`x`", "a\nb"] {
        place.file(&format!("in/{name}/{name}"), "1");
    }
    place.succeeds(&spec(r#"cp -R "$in/." /pfs/out/"#));
    assert_eq!(place.tree("made").len(), 7);
}

#[test]
fn a_thousand_inputs_in_one_datum_are_fine() {
    let place = Workspace::new();
    place.numbered_files("in", 1000);
    let group = serde_json::json!({ "group": [{ "pfs": { "repo": "in", "glob": "/*" } }] });
    place.succeeds(&spec("cat /pfs/in/* | wc -l > /pfs/out/count").set("input", group));
    assert_eq!(place.tree("made"), files([("count", "1000\n")]));
}
