//! The files of commands in `/pfs/out`, and no others, become the output folder, in order.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use drover_tests::{Spec, Workspace, files, is_root};

/// Runs `script` over one file `in/a` and expects the job to fail, saying each of `words`.
fn fails_saying(script: &str, words: &[&str]) {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    let job = workspace.fails(&Spec::new("made").reads("in", "/*").sh(script));
    for word in words {
        assert!(
            job.reason().contains(word),
            "the reason of {script:?} does not say {word:?}: {}",
            job.reason()
        );
    }
    assert!(workspace.tree("made").is_empty());
}

/// Runs `script` over the file `in/a` (`ant`) and returns the output.
fn made_by(script: &str) -> drover_tests::Tree {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.succeeds(&Spec::new("made").reads("in", "/*").sh(script));
    workspace.tree("made")
}

#[test]
fn pieces_of_one_path_are_joined_in_datum_order_whoever_is_first() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 12);
    // The first datum waits until all the others are done.
    let script = r#"
        if [ "$DROVER_DATUM_INDEX" = 0 ]; then while [ "$(wc -l < "$OUTSIDE/done")" -lt 11 ]; do sleep 0.01; done; fi
        cat "$in" > /pfs/out/all; cat "$in" > "/pfs/out/own-$(basename "$in")"; echo >> "$OUTSIDE/done""#;
    let spec = Spec::new("joined").reads("in", "/*").sh(script);
    workspace.open_gate("done");
    workspace
        .start_run(&spec, &["--workers", "3"])
        .finish()
        .code(0);
    let all = fs::read_to_string(workspace.path("joined/all")).unwrap();
    let numbers: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(all.lines().collect::<Vec<_>>(), numbers);
    assert_eq!(workspace.tree("joined").len(), 13);

    workspace.file("in/005", "five\n");
    assert_eq!(
        workspace.succeeds(&spec).counts(),
        "12: 1 processed, 11 skipped"
    );
    let all = fs::read_to_string(workspace.path("joined/all")).unwrap();
    assert_eq!(all.lines().nth(5), Some("five"));
    assert_eq!(all.lines().count(), 12);
}

#[test]
fn two_writers_of_one_path_are_an_error_where_the_spec_says_so() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 3);
    let spec = Spec::new("clash")
        .reads("in", "/*")
        .sh(r#"cp "$in" /pfs/out/same.txt"#);
    let job = workspace.fails(&spec.clone().set("output_conflict", "error"));
    assert!(
        job.reason().contains("same.txt"),
        "the reason does not name the path: {}",
        job.reason()
    );
    assert!(workspace.tree("clash").is_empty());
    workspace.succeeds(&spec);
    assert_eq!(workspace.tree("clash"), files([("same.txt", "0\n1\n2\n")]));
}

#[test]
fn a_file_and_a_directory_of_one_name_are_an_error() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 2);
    let script = r#"if [ "$DROVER_DATUM_INDEX" = 0 ]; then echo > /pfs/out/x; else mkdir /pfs/out/x; echo > /pfs/out/x/y; fi"#;
    let job = workspace.fails(&Spec::new("clash").reads("in", "/*").sh(script));
    assert!(
        job.reason().contains('x'),
        "the reason does not name the path: {}",
        job.reason()
    );
}

#[test]
fn links_within_the_datum_are_stored_as_files() {
    let script = r#"
        ln -s "$in" /pfs/out/input
        mkdir -p /pfs/out/deep; echo own > /pfs/out/deep/own; ln -s deep/own /pfs/out/relative
        ln -s ../deep/own /pfs/out/deep/upwards
        ln -s deep /pfs/out/folder
        echo kept > /tmp/kept; ln -s /tmp/kept /pfs/out/temporary
        ln -s relative /pfs/out/twice
        ln "/pfs/out/deep/own" /pfs/out/hard"#;
    let expected = files([
        ("input", "ant\n"),
        ("deep/own", "own\n"),
        ("deep/upwards", "own\n"),
        ("relative", "own\n"),
        ("folder/own", "own\n"),
        ("folder/upwards", "own\n"),
        ("temporary", "kept\n"),
        ("twice", "own\n"),
        ("hard", "own\n"),
    ]);
    assert_eq!(made_by(script), expected);
}

#[test]
fn a_link_to_an_input_does_not_tie_output_to_input() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.succeeds(
        &Spec::new("linked")
            .reads("in", "/*")
            .sh(r#"ln -s "$in" /pfs/out/a"#),
    );
    fs::write(workspace.path("in/a"), "ape\n").unwrap();
    assert_eq!(workspace.tree("linked"), files([("a", "ant\n")]));
}

#[test]
fn links_that_leave_the_datum_fail_it() {
    fails_saying("ln -s /etc/passwd /pfs/out/accounts", &["accounts"]);
    fails_saying(
        "ln -s ../../../../etc/passwd /pfs/out/accounts",
        &["accounts"],
    );
    fails_saying("ln -s /etc /pfs/out/settings", &["settings"]);
    fails_saying("ln -s nowhere /pfs/out/dangling", &["dangling"]);
    fails_saying("ln -s around /pfs/out/around", &["around"]);
    fails_saying("mkdir /pfs/out/d; ln -s .. /pfs/out/d/circle", &["circle"]);
}

#[test]
fn what_is_not_a_file_fails_the_datum() {
    fails_saying("mkfifo /pfs/out/pipe", &["pipe", "FIFO"]);
    if is_root() {
        // Commands lack the capability to make devices.
        fails_saying("mknod /pfs/out/null c 1 3", &["null", "not permitted"]);
    }
}

#[test]
fn a_name_that_is_not_utf8_fails_the_datum() {
    fails_saying(
        r#"echo > "/pfs/out/$(printf 'caf\351')""#,
        &["caf", "not valid Unicode"],
    );
}

#[test]
fn an_input_name_that_is_not_utf8_is_an_error_that_names_it() {
    let workspace = Workspace::new();
    workspace.file("in/fine", "");
    fs::write(workspace.path("in").join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let outcome = workspace.run(&Spec::new("copies").reads("in", "/*"));
    assert_ne!(outcome.status.code(), Some(0));
    let told = outcome.transcript();
    assert!(told.contains("caf") && told.contains("UTF-8"), "{told}");
}

#[test]
fn any_name_comes_through() {
    let names = [
        "100%",
        "%41",
        "a b",
        " lead",
        "trail ",
        "#1",
        "q?",
        "star*",
        "[x]",
        "{y}",
        "back\\slash",
        "new\nline",
        "tab\t",
        "quote\"'",
        "größe",
        "日本語",
        "🐑",
        "-n",
        "--help",
        "~",
        "..dots",
        "...",
        "$HOME",
        "a:b",
        "semi;colon",
        "cafe\u{301}",
    ];
    let workspace = Workspace::new();
    for name in names {
        workspace.file(&format!("in/{name}/{name}"), name);
    }
    for glob in ["/*", "/*/*", "/"] {
        let spec = Spec::new("copies")
            .reads("in", glob)
            .sh("cp -R /pfs/in/. /pfs/out/");
        workspace.succeeds(&spec);
        assert_eq!(
            workspace.tree("copies"),
            workspace.tree("in"),
            "with glob {glob}"
        );
    }
}

#[test]
fn empty_directories_do_not_exist() {
    assert_eq!(
        made_by("mkdir -p /pfs/out/a/b/c; echo > /pfs/out/a/x"),
        files([("a/x", "\n")])
    );
    let workspace = Workspace::new();
    workspace.file("in/full/x", "");
    fs::create_dir_all(workspace.path("in/empty/below")).unwrap();
    assert_eq!(
        workspace
            .succeeds(&Spec::new("copies").reads("in", "/*"))
            .counts(),
        "1: 1 processed"
    );
}

#[test]
fn a_folder_that_becomes_empty_goes() {
    let workspace = Workspace::new();
    workspace.file("in/keep/x", "1");
    workspace.file("in/go/deep/y", "2");
    let spec = Spec::new("copies").reads("in", "/*");
    workspace.succeeds(&spec);
    fs::remove_dir_all(workspace.path("in/go")).unwrap();
    workspace.succeeds(&spec);
    assert_eq!(workspace.tree("copies"), files([("keep/x", "1")]));
    assert!(!workspace.path("copies/go").exists());
}

#[test]
fn a_path_may_turn_from_file_to_folder_between_jobs() {
    let workspace = Workspace::new();
    workspace.file("in/a", "1");
    let spec = |script: &str| Spec::new("turns").reads("in", "/*").sh(script);
    workspace.succeeds(&spec("echo file > /pfs/out/x"));
    workspace.succeeds(&spec("mkdir /pfs/out/x; echo deep > /pfs/out/x/y"));
    assert_eq!(workspace.tree("turns"), files([("x/y", "deep\n")]));
    workspace.succeeds(&spec("echo file > /pfs/out/x"));
    assert_eq!(workspace.tree("turns"), files([("x", "file\n")]));
}

#[test]
fn a_command_that_writes_nothing_succeeds() {
    assert!(made_by("true").is_empty());
}

#[test]
fn empty_and_large_files_come_through() {
    let workspace = Workspace::new();
    workspace.file("in/empty", "");
    workspace.file("in/large", "0123456789abcdef".repeat(1 << 20));
    workspace.succeeds(&Spec::new("copies").reads("in", "/*"));
    assert!(
        workspace.tree("copies") == workspace.tree("in"),
        "the copy differs"
    );
}

#[test]
fn an_empty_match_is_a_success_that_empties_the_output() {
    let workspace = Workspace::new();
    workspace.file("in/a", "1");
    let spec = Spec::new("copies").reads("in", "/a*");
    workspace.succeeds(&spec);
    workspace.remove("in/a");
    let job = workspace.succeeds(&spec);
    assert_eq!((job.state(), job.count("total")), ("success", 0));
    assert!(workspace.tree("copies").is_empty());
}

#[test]
fn output_does_not_change_when_the_command_kept_its_file_open() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let script = r#"exec 3> /pfs/out/x; echo early >&3
        (while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done; echo late >&3) & exit 0"#;
    workspace.succeeds(&Spec::new("open").reads("in", "/*").sh(script));
    workspace.open_gate("gate");
    assert_eq!(workspace.tree("open"), files([("x", "early\n")]));
}

#[test]
fn an_output_path_that_does_not_fit_the_output_folder_fails_its_datum_alone() {
    let workspace = Workspace::new();
    workspace.file("in/good", "1");
    workspace.file("in/long", "2");
    let spec = Spec::new("made").reads("in", "/*").sh(r#"
        cd /pfs/out
        if [ "$(basename "$in")" = long ]; then
            name=$(printf 'd%.0s' $(seq 230))
            for n in $(seq 17); do mkdir $name; cd -P $name; done
            cp "$in" $(printf 'f%.0s' $(seq 160))
        else cp "$in" .; fi"#);
    let job = workspace.fails(&spec);
    assert_eq!(job.counts(), "2: 1 processed, 1 failed");
    let told = workspace.call(&["explain", "last"]).transcript();
    assert!(told.contains("more than 4,095 bytes"), "{told}");
    workspace.remove("in/long");
    assert_eq!(workspace.succeeds(&spec).counts(), "1: 1 skipped");
}
