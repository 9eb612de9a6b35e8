//! Common mistakes and conveniences on the command line, through the `drover` command.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn drover(folder: &Path, arguments: &[&str]) -> Output {
    with_input(folder, arguments, "")
}

fn with_input(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_drover"))
        .current_dir(folder)
        .args(arguments)
        .env_remove("DROVER_STORE")
        .env_remove("DROVER_OUTPUT")
        .env_remove("DROVER_BROKER")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn folder_with(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    folder
}

#[test]
fn a_common_mistake_is_answered_with_advice() {
    let folder = folder_with(&["in/1.txt", "in/2.txt", "in/3.txt"]);
    let expanded = [
        "run", "--glob", "in/1.txt", "in/2.txt", "in/3.txt", "--out", "out", "--", "cp", "{}",
        "{out}/",
    ];
    for (arguments, advice) in [
        (&expanded[..], "quote it: --glob 'in/*.txt'"),
        (&["ls"], "`drover jobs`"),
        (&["list"], "`drover jobs`"),
        (&["status"], "`drover job`"),
        (&["kill", "x"], "`drover stop JOB`"),
        (&["run", "-j", "0", "x.yaml"], "from 1 to 65535"),
    ] {
        let output = drover(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let said = text(&output.stderr);
        assert!(said.contains(advice), "{arguments:?}: {said}");
        let json = drover(folder.path(), &[&["--output", "json"], arguments].concat());
        assert!(text(&json.stderr).starts_with("{\"error\""), "{json:?}");
    }
    assert!(!folder.path().join("out").exists());
}

#[test]
fn help_and_version_are_verbs_too() {
    let folder = folder_with(&[]);
    for (arguments, word) in [
        (&["help"][..], "Usage: drover"),
        (&["help", "run"], "Usage: drover run"),
        (&["version"], "drover "),
    ] {
        let output = drover(folder.path(), arguments);
        assert!(output.status.success(), "{output:?}");
        assert!(text(&output.stdout).contains(word), "{output:?}");
    }
}

#[test]
fn a_list_of_files_is_the_input() {
    let folder = folder_with(&["in/a b.txt", "in/sub/[c],{d}.txt", "in/left-out.txt"]);
    let absolute = folder.path().join("in/sub/[c],{d}.txt");
    let plan = |flags: &[&str], list: &str| {
        let line = [
            &["plan", "--output", "json", "--files-from", "-"],
            flags,
            &["--out", "out", "--", "cat"],
        ];
        let output = with_input(folder.path(), &line.concat(), list);
        assert!(output.status.success(), "{output:?}");
        let paths = text(&output.stdout);
        let paths = paths.lines().map(|line| {
            let datum: serde_json::Value = serde_json::from_str(line).unwrap();
            datum["inputs"][0]["path"].as_str().unwrap().to_owned()
        });
        paths.collect::<Vec<_>>()
    };
    let both = ["/a b.txt", "/sub/[c],{d}.txt"];
    let lines = format!("in/a b.txt\n{}\n", absolute.display());
    assert_eq!(plan(&[], &lines), both);
    assert_eq!(plan(&["-0"], "in/a b.txt\0in/sub/[c],{d}.txt\0"), both);
    assert_eq!(plan(&[], "in/a b.txt"), ["/a b.txt"]);
    let empty = ["run", "--files-from", "-", "--out", "out", "--", "cat"];
    let output = drover(folder.path(), &empty);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_one_liner_can_be_previewed_and_saved_as_a_spec() {
    let folder = folder_with(&["in/a.txt"]);
    let one_liner = ["--glob", "in/*", "--out", "out", "--", "cat"];
    let preview = drover(
        folder.path(),
        &[&["run", "--dry-run"], &one_liner[..]].concat(),
    );
    assert!(preview.status.success(), "{preview:?}");
    assert!(text(&preview.stdout).contains("1 datum"), "{preview:?}");
    assert!(!folder.path().join(".drover/jobs").exists());
    for verb in ["run", "plan"] {
        let printed = drover(
            folder.path(),
            &[&[verb, "--print-spec"], &one_liner[..]].concat(),
        );
        assert!(printed.status.success(), "{printed:?}");
        fs::write(folder.path().join("spec.yaml"), &printed.stdout).unwrap();
        let valid = drover(folder.path(), &["validate", "spec.yaml"]);
        assert!(valid.status.success(), "{valid:?}");
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = folder_with(&[]);
    let output = drover(folder.path(), &["man", "share/man1"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for (page, words) in [
        ("drover.1", "drover\\-publish(1)"),
        ("drover-run.1", "\\-\\-workers"),
        ("drover-create-pipeline.1", "SPEC"),
    ] {
        let page = fs::read_to_string(folder.path().join("share/man1").join(page)).unwrap();
        assert!(page.contains(".TH"), "{page}");
        assert!(page.contains(words), "{page}");
    }
    fs::write(folder.path().join("file"), "").unwrap();
    let output = drover(folder.path(), &["man", "file"]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    let said = text(&output.stderr);
    assert!(
        said.contains("cannot write manual pages into file"),
        "{said}"
    );
}
