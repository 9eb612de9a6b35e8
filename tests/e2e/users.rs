//! All of it works without root, too.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use drover_tests::{Spec, Workspace, drover, eventually, files, is_root};

#[test]
fn an_ordinary_user_gets_the_same_output_and_the_same_sandbox() {
    let workspace = Workspace::of_ordinary_user();
    workspace.numbered_files("in", 6);
    let script = r#"
        echo gotcha >> "$in"; echo gotcha > "$in"; rm -f "$in"
        ls -A /tmp; touch /tmp/mine
        ls /pfs /pfs/in > "/pfs/out/$(basename "$in")""#;
    let spec = Spec::new("made").reads("in", "/*").sh(script);
    let before = workspace.tree("in");
    let job = workspace
        .start_run(&spec, &["--workers", "2"])
        .finish()
        .code(0)
        .job();
    assert_eq!(job.counts(), "6: 6 processed");
    assert_eq!(workspace.tree("in"), before);
    assert_eq!(
        fs::read_to_string(workspace.path("made/003")).unwrap(),
        "/pfs:\nin\nout\n\n/pfs/in:\n003\n"
    );
    assert_eq!(workspace.succeeds(&spec).counts(), "6: 6 skipped");
}

#[test]
fn what_an_ordinary_users_command_leaves_read_only_is_in_nobodys_way() {
    let workspace = Workspace::of_ordinary_user();
    workspace.numbered_files("in", 6);
    let script = r#"
        mkdir -p "$TMPDIR/modules/deep" /pfs/out/dir/deep; echo x > "$TMPDIR/modules/deep/x"
        cp "$in" /pfs/out/dir/deep/; chmod -R a-w "$TMPDIR" /pfs/out; chmod 0 "$TMPDIR"
        test "$DROVER_ATTEMPT" = 2 || test "$DROVER_DATUM_INDEX" != 3"#;
    let spec = Spec::new("made").reads("in", "/*").sh(script);
    let spec = spec.set("datum_tries", 2);
    let outcome = workspace
        .start_run(&spec, &["--workers", "1"])
        .finish()
        .code(0);
    assert_eq!(outcome.job().counts(), "6: 6 processed");
    assert!(!outcome.stderr.contains("goes back"), "{}", outcome.stderr);
    assert_eq!(workspace.tree("made").len(), 6);
}

#[test]
fn an_ordinary_users_strays_are_ended() {
    let workspace = Workspace::of_ordinary_user();
    workspace.numbered_files("in", 3);
    workspace.succeeds(
        &Spec::new("made")
            .reads("in", "/*")
            .sh("setsid sleep 1000 & sleep 1000 & true"),
    );
}

#[test]
fn an_ordinary_users_killed_drover_leaves_nothing_running() {
    let workspace = Workspace::of_ordinary_user();
    workspace.numbered_files("in", 3);
    let script = r#"trap '' TERM; setsid sleep 1000 & echo >> "$OUTSIDE/started"; sleep 1000"#;
    let running = workspace.start_run(
        &Spec::new("made").reads("in", "/*").sh(script),
        &["--workers", "2"],
    );
    eventually("two commands ran", || workspace.line_count("started") == 2);
    running.kill();
    eventually("nothing of the workspace was left", || {
        workspace.processes().is_empty()
    });
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let workspace = Workspace::of_ordinary_user();
    workspace.file("in/open", "1");
    workspace.file("in/closed", "2");
    fs::set_permissions(
        workspace.path("in/closed"),
        fs::Permissions::from_mode(0o000),
    )
    .unwrap();
    let outcome = workspace.run(&Spec::new("copies").reads("in", "/*"));
    assert_ne!(outcome.status.code(), Some(0));
    assert!(
        outcome.transcript().contains("closed"),
        "{}",
        outcome.transcript()
    );
    assert!(workspace.tree("copies").is_empty());
    fs::set_permissions(
        workspace.path("in/closed"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    workspace.succeeds(&Spec::new("copies").reads("in", "/*"));
    assert_eq!(
        workspace.tree("copies"),
        files([("open", "1"), ("closed", "2")])
    );
}

/// The kernel refuses a second name for a file of another user (`fs.protected_hardlinks`).
#[test]
fn a_changed_file_is_replaced_by_another_user_of_the_folder() {
    if !is_root() {
        return; // There is no second user.
    }
    let workspace = Workspace::of_ordinary_user();
    chown(workspace.store(), None, Some(65534)).unwrap();
    fs::set_permissions(workspace.store(), fs::Permissions::from_mode(0o2777)).unwrap();
    workspace.file("in/a", "1");
    let spec = Spec::new("made").reads("in", "/*").sh(r#"
        echo >> "$OUTSIDE/runs"; cp "$in" /pfs/out/"#);
    let as_root = || {
        let mut command = Command::new(drover());
        command
            .args(["run", "--output", "json", &workspace.spec(&spec)])
            .current_dir(workspace.store())
            .env("OUTSIDE", workspace.outside(""));
        workspace.start_command(command).finish().code(0);
    };
    as_root();
    fs::set_permissions(workspace.outside("runs"), fs::Permissions::from_mode(0o666)).unwrap();
    workspace.file("in/a", "2");
    as_root();
    workspace.file("in/a", "1");
    assert_eq!(workspace.succeeds(&spec).counts(), "1: 1 skipped");
    assert_eq!(workspace.tree("made"), files([("a", "1")]));
    assert_eq!(workspace.line_count("runs"), 2);
}
