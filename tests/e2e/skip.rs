//! Work that was done is not done again; work that changed is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use drover_tests::{Spec, Workspace, eventually, files};
use serde_json::json;

/// Notes each run in `runs`, then turns a file into capitals.
fn capitals() -> Spec {
    Spec::new("capitals").reads("in", "/*").sh(r#"
        name=$(basename "$in"); echo "$name" >> "$OUTSIDE/runs"
        tr a-z A-Z < "$in" > "/pfs/out/$name""#)
}

/// A store where `capitals` ran over `a` and `b`.
fn after_a_first_job() -> Workspace {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    workspace.file("in/b", "bee\n");
    assert_eq!(workspace.succeeds(&capitals()).counts(), "2: 2 processed");
    workspace
}

#[test]
fn unchanged_input_is_not_run_again() {
    let workspace = after_a_first_job();
    assert_eq!(workspace.succeeds(&capitals()).counts(), "2: 2 skipped");
    assert_eq!(workspace.line_count("runs"), 2);
    assert_eq!(
        workspace.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_job_whose_work_is_all_done_starts_no_worker() {
    let workspace = after_a_first_job();
    let scratch = workspace.path("scratch");
    let arguments = ["--scratch", scratch.to_str().unwrap()];
    let again = || {
        workspace
            .start_run(&capitals(), &arguments)
            .finish()
            .code(0)
    };
    assert_eq!(again().job().counts(), "2: 2 skipped");
    assert!(!scratch.exists(), "a worker made its scratch directory");
    workspace.file("in/c", "cat\n");
    assert_eq!(again().job().counts(), "3: 1 processed, 2 skipped");
    assert!(scratch.exists());
}

#[test]
fn a_touched_file_is_not_run_again() {
    let workspace = after_a_first_job();
    let file = File::options()
        .write(true)
        .open(workspace.path("in/a"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(24))
        .unwrap();
    assert_eq!(workspace.succeeds(&capitals()).counts(), "2: 2 skipped");
}

#[test]
fn a_rewritten_file_with_the_same_bytes_is_not_run_again() {
    let workspace = after_a_first_job();
    workspace.remove("in/a");
    workspace.file("in/a", "ant\n");
    assert_eq!(workspace.succeeds(&capitals()).counts(), "2: 2 skipped");
}

#[test]
fn only_a_changed_file_runs_again_and_its_output_is_replaced() {
    let workspace = after_a_first_job();
    workspace.file("in/a", "ape\n");
    assert_eq!(
        workspace.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(workspace.tally("runs")["b"], 1);
    assert_eq!(
        workspace.tree("capitals"),
        files([("a", "APE\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_file_replaced_by_one_of_the_same_size_and_time_is_seen() {
    let workspace = after_a_first_job();
    let before = workspace
        .path("in/a")
        .metadata()
        .unwrap()
        .modified()
        .unwrap();
    fs::rename(workspace.path("in/a"), workspace.outside("a")).unwrap();
    workspace.file("in/a", "ape\n");
    let file = File::options()
        .write(true)
        .open(workspace.path("in/a"))
        .unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(
        workspace.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(
        workspace.tree("capitals"),
        files([("a", "APE\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_new_file_runs_alone() {
    let workspace = after_a_first_job();
    workspace.file("in/c", "cat\n");
    assert_eq!(
        workspace.succeeds(&capitals()).counts(),
        "3: 1 processed, 2 skipped"
    );
    assert_eq!(workspace.tree("capitals").len(), 3);
}

#[test]
fn the_output_of_a_deleted_input_vanishes() {
    let workspace = after_a_first_job();
    workspace.remove("in/a");
    assert_eq!(workspace.succeeds(&capitals()).counts(), "1: 1 skipped");
    assert_eq!(workspace.tree("capitals"), files([("b", "BEE\n")]));
}

#[test]
fn an_input_that_comes_back_is_still_known() {
    let workspace = after_a_first_job();
    workspace.remove("in/a");
    workspace.succeeds(&capitals());
    workspace.file("in/a", "ant\n");
    assert_eq!(workspace.succeeds(&capitals()).counts(), "2: 2 skipped");
    assert_eq!(
        workspace.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_renamed_file_is_new_work() {
    let workspace = after_a_first_job();
    fs::rename(workspace.path("in/a"), workspace.path("in/z")).unwrap();
    assert_eq!(
        workspace.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(
        workspace.tree("capitals"),
        files([("b", "BEE\n"), ("z", "ANT\n")])
    );
}

#[test]
fn a_change_below_a_directory_runs_that_directory_again() {
    let workspace = Workspace::new();
    workspace.file("in/one/deep/a", "1\n");
    workspace.file("in/two/deep/b", "2\n");
    let spec = Spec::new("copies").reads("in", "/*");
    workspace.succeeds(&spec);
    workspace.file("in/one/deep/c", "3\n");
    assert_eq!(
        workspace.succeeds(&spec).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(
        workspace.tree("copies"),
        files([
            ("one/deep/a", "1\n"),
            ("one/deep/c", "3\n"),
            ("two/deep/b", "2\n")
        ])
    );
}

#[test]
fn a_changed_transform_runs_everything_again() {
    let changes = [
        ("transform.stdin", "true".into()),
        ("transform.cmd", vec!["sh", "-e"].into()),
        ("transform.env", serde_json::json!({ "LEVEL": "9" })),
        ("transform.accept_return_code", vec![7].into()),
        ("transform.working_dir", "/".into()),
    ];
    for (field, value) in changes {
        let workspace = after_a_first_job();
        let value = if field == "transform.stdin" {
            vec!["true"].into()
        } else {
            value
        };
        let job = workspace.succeeds(&capitals().set(field, value));
        assert_eq!(job.counts(), "2: 2 processed", "after a change of {field}");
    }
}

#[test]
fn a_change_that_cannot_change_the_output_runs_nothing() {
    let changes = [
        ("transform.err_cmd", serde_json::json!(["true"])),
        ("datum_tries", 5.into()),
        ("datum_timeout", "1h".into()),
        ("description", "other words".into()),
        ("parallelism_spec", serde_json::json!({ "constant": 1 })),
    ];
    let workspace = after_a_first_job();
    for (field, value) in changes {
        let job = workspace.succeeds(&capitals().set(field, value));
        assert_eq!(job.counts(), "2: 2 skipped", "after a change of {field}");
    }
}

#[test]
fn reprocess_runs_everything() {
    let workspace = after_a_first_job();
    let job = workspace
        .start_run(&capitals(), &["--reprocess"])
        .finish()
        .code(0)
        .job();
    assert_eq!(job.counts(), "2: 2 processed");
    assert_eq!(workspace.line_count("runs"), 4);
    let job = workspace.succeeds(&capitals().set("reprocess_spec", "every_job"));
    assert_eq!(job.counts(), "2: 2 processed");
    assert_eq!(
        workspace.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_failed_job_publishes_nothing_and_keeps_what_succeeded() {
    let workspace = Workspace::new();
    workspace.numbered_files("in", 6);
    workspace.file("in/bad", "x\n");
    let picky = Spec::new("picky")
        .reads("in", "/*")
        .sh(r#"echo "$in" >> "$OUTSIDE/runs"; grep -q '[0-9]' "$in" && cp "$in" /pfs/out/"#);
    let job = workspace.fails(&picky);
    assert_eq!(job.counts(), "7: 6 processed, 1 failed");
    assert!(
        workspace.tree("picky").is_empty(),
        "a failed job published {:?}",
        workspace.tree("picky")
    );

    workspace.file("in/bad", "7\n");
    assert_eq!(
        workspace.succeeds(&picky).counts(),
        "7: 1 processed, 6 skipped"
    );
    assert_eq!(workspace.tree("picky").len(), 7);
    assert_eq!(workspace.line_count("runs"), 8);
}

#[test]
fn a_failed_job_leaves_the_last_good_output_alone() {
    let workspace = after_a_first_job();
    workspace.file("in/c", "cat\n");
    let failing = capitals().sh(r#"test "$(basename "$in")" != c && cp "$in" /pfs/out/"#);
    workspace.fails(&failing);
    assert_eq!(
        workspace.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn failed_and_recovered_datums_run_again() {
    let workspace = Workspace::new();
    workspace.file("in/a", "");
    let spec = Spec::new("forgiven")
        .reads("in", "/*")
        .sh("exit 1")
        .set("transform.err_cmd", vec!["true"]);
    assert_eq!(workspace.succeeds(&spec).counts(), "1: 1 recovered");
    assert_eq!(workspace.succeeds(&spec).counts(), "1: 1 recovered");
    let spec = spec.set("transform.err_cmd", vec!["false"]);
    assert_eq!(workspace.fails(&spec).counts(), "1: 1 failed");
    assert_eq!(workspace.fails(&spec).counts(), "1: 1 failed");
}

#[test]
fn another_pipeline_does_its_own_work() {
    let workspace = after_a_first_job();
    let other = capitals().set("pipeline.name", "other");
    assert_eq!(workspace.succeeds(&other).counts(), "2: 2 processed");
}

#[test]
fn deleted_and_altered_output_is_made_right_again() {
    let workspace = after_a_first_job();
    let good = workspace.tree("capitals");
    workspace.remove("capitals/a");
    workspace.remove("capitals/b");
    workspace.file("capitals/b", "scribble\n");
    workspace.succeeds(&capitals());
    assert_eq!(workspace.tree("capitals"), good);
}

/// Writes other bytes of the same number into a file, and puts the time of its modification back.
fn edit_secretly(path: &Path) {
    let edit = || {
        let before = fs::metadata(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
        let size = usize::try_from(before.len()).map_err(io::Error::other)?;
        fs::write(path, "#".repeat(size))?;
        let file = File::options().write(true).open(path)?;
        file.set_modified(before.modified()?)
    };
    edit().expect("the file is ours");
}

#[test]
fn an_output_that_was_edited_with_its_time_kept_is_made_anew() {
    let workspace = after_a_first_job();
    let good = workspace.tree("capitals");
    edit_secretly(&workspace.path("capitals/a"));
    let told = workspace.run(&capitals()).code(0);
    assert_eq!(workspace.tree("capitals"), good);
    assert_eq!(told.job().counts(), "2: 1 processed, 1 skipped");
    // A new hard link and a change of rights leave all bytes as they are, so no datum runs, and no output is written.
    let output = workspace.path("capitals/a");
    let inode = || fs::metadata(&output).unwrap().ino();
    let before = inode();
    fs::hard_link(&output, workspace.outside("link")).unwrap();
    let told = workspace.run(&capitals()).code(0);
    assert_eq!(told.job().counts(), "2: 2 skipped");
    assert_eq!(inode(), before);
    assert!(!told.stderr.contains("written again"), "{}", told.stderr);
    // Beside a change of another file, too.
    edit_secretly(&output);
    workspace.file("in/b", "bat\n");
    workspace.succeeds(&capitals());
    let expected = files([("a", "ANT\n"), ("b", "BAT\n")]);
    assert_eq!(workspace.tree("capitals"), expected);
}

#[test]
fn an_input_that_was_edited_with_its_time_kept_before_its_datum_runs_is_noticed() {
    const FILES: usize = 60;
    for below in ["", "/x"] {
        let workspace = Workspace::new();
        // The last file is not staged yet while the first datum runs.
        let path = |n: usize| format!("in/{n:03}{below}");
        for n in 0..FILES {
            workspace.file(&path(n), "ant\n");
            let file = File::options().write(true).open(workspace.path(&path(n)));
            file.unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        let spec = Spec::new("made").reads("in", "/*").sh(r#"
            echo >> "$OUTSIDE/runs"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
            cat $(find -L "$in" -type f) > "/pfs/out/$(basename "$in")""#);
        let spec = spec.set("parallelism_spec", json!({"constant": 1}));
        let running = workspace.start_run(&spec, &[]);
        eventually("every file was listed", || {
            let told = workspace.call(&["job", "last", "--output", "json"]);
            told.status.success() && told.job().count("total") == FILES as u64
        });
        eventually("a command ran", || workspace.line_count("runs") > 0);
        edit_secretly(&workspace.path(&path(FILES - 1)));
        workspace.open_gate("gate");
        let told = running.finish().code(1).transcript();
        assert!(told.contains("059"), "{told}");
        workspace.file(&path(FILES - 1), "ant\n");
        workspace.succeeds(&spec);
        let expected = (0..FILES).map(|n| (format!("{n:03}"), "ant\n".to_owned()));
        let expected: BTreeMap<_, _> = expected.collect();
        let made = expected.keys().map(|name| {
            let made = fs::read_to_string(workspace.path("made").join(name));
            (name.clone(), made.unwrap())
        });
        assert_eq!(made.collect::<BTreeMap<_, _>>(), expected, "{told}");
    }
}

#[test]
fn whatever_lies_in_the_output_folder_hinders_no_job() {
    let workspace = after_a_first_job();
    let folder = workspace.path("capitals");
    let good = fs::read(folder.join("b")).unwrap();
    symlink("nowhere", folder.join("broken")).unwrap();
    symlink("loop", folder.join("loop")).unwrap();
    symlink("/etc", folder.join("leaves")).unwrap();
    symlink("../in", folder.join("inputs")).unwrap();
    let _socket = UnixListener::bind(folder.join("socket")).unwrap();
    let made = Command::new("mkfifo").arg(folder.join("fifo")).status();
    assert!(made.unwrap().success());
    fs::write(folder.join(OsStr::from_bytes(b"\xff")), "x").unwrap();
    workspace.file("in/a", "ape\n");
    workspace.succeeds(&capitals());
    assert_eq!(fs::read(folder.join("a")).unwrap(), b"APE\n");
    // In the place of an output, it is an edit of the output.
    let places: [&dyn Fn(&Path); 4] = [
        &|path| symlink("nowhere", path).unwrap(),
        &|path| symlink("/etc/hostname", path).unwrap(),
        &|path| symlink("../in/b", path).unwrap(),
        &|path| drop(UnixListener::bind(path).unwrap()),
    ];
    for (n, place) in places.iter().enumerate() {
        fs::remove_file(folder.join("b")).unwrap();
        place(&folder.join("b"));
        let told = workspace.run(&capitals()).code(0);
        assert!(
            told.stderr.contains("written again"),
            "{n}: {}",
            told.stderr
        );
        let metadata = folder.join("b").symlink_metadata().unwrap();
        assert!(metadata.is_file(), "{n}");
        assert_eq!(fs::read(folder.join("b")).unwrap(), good, "{n}");
    }
    assert_eq!(
        fs::read_link(folder.join("broken")).unwrap(),
        Path::new("nowhere")
    );
    assert_eq!(fs::read(workspace.path("in/b")).unwrap(), b"bee\n");
}

#[test]
fn somebody_elses_file_in_the_output_folder_is_left_alone() {
    let workspace = after_a_first_job();
    workspace.file("capitals/notes", "mine\n");
    workspace.file("in/a", "ape\n");
    workspace.succeeds(&capitals());
    let expected = files([("a", "APE\n"), ("b", "BEE\n"), ("notes", "mine\n")]);
    assert_eq!(workspace.tree("capitals"), expected);
}

#[test]
fn an_edited_script_named_in_the_command_runs_again() {
    let workspace = Workspace::new();
    workspace.file("in/a.txt", "ant\n");
    workspace.file("s.sh", "cat \"$1\"\n");
    let line = |format: &'static [&'static str]| {
        let rest = [
            "--glob", "in/*", "--out", "c", "--stdout", "{/}", "--", "/bin/sh", "s.sh", "{}",
        ];
        let mut line = vec!["run"];
        line.extend(format);
        line.extend(rest);
        line
    };
    let json = line(&["--output", "json"]);
    let counts = || workspace.call(&json).code(0).job().counts();
    assert_eq!(counts(), "1: 1 processed");
    assert_eq!(counts(), "1: 1 skipped");
    workspace.file("s.sh", "cat \"$1\"\n");
    assert_eq!(counts(), "1: 1 skipped", "the same bytes are no change");
    workspace.file("s.sh", "tr a-z A-Z < \"$1\"\n");
    assert_eq!(counts(), "1: 1 processed");
    assert_eq!(workspace.tree("c"), files([("a.txt", "ANT\n")]));
    workspace
        .call(&line(&[]))
        .code(0)
        .says(&["watching code: s.sh"]);
}

/// How a command names its code: the file, what it holds (`VERSION` is replaced), and the command.
type NamedCode = (&'static str, &'static str, &'static [&'static str]);

#[test]
fn code_is_noticed_however_the_command_names_it() {
    const SH: &str = "#!/bin/sh\necho VERSION > \"$1/f\"\n";
    const PY: &str = "import sys\nopen(sys.argv[1] + '/f', 'w').write('VERSION\\n')\n";
    let rows: [NamedCode; 11] = [
        ("my code/s.sh", SH, &["sh 'my code/s.sh' {out} {}"]),
        ("my code/s.sh", SH, &["sh my\\ code/s.sh {out} {}"]),
        ("s.sh", SH, &["sh ~/s.sh {out} {}"]),
        ("s.sh", SH, &["D=$HOME; sh \"$D/s.sh\" {out} {}"]),
        ("lib/s.sh", SH, &["cd lib && sh s.sh {out} {}"]),
        (
            "lib/s.sh",
            SH,
            &["sh", "-c", "bash -c \"sh lib/s.sh $1\"", "x", "{out}", "{}"],
        ),
        ("bin/mytool", SH, &["mytool", "{out}", "{}"]),
        ("bin/mytool", SH, &["true && mytool {out} {}"]),
        ("mod.py", PY, &["python3", "-m", "mod", "{out}", "{}"]),
        (
            "pkg/deep/mod.py",
            PY,
            &["python3", "-m", "pkg.deep.mod", "{out}", "{}"],
        ),
        ("app/__main__.py", PY, &["python3", "app", "{out}", "{}"]),
    ];
    for (file, content, cmd) in rows {
        let workspace = Workspace::new();
        workspace.file("in/a.txt", "ant\n");
        let write = |version: &str| {
            workspace.file(file, content.replace("VERSION", version));
            let rights = fs::Permissions::from_mode(0o755);
            fs::set_permissions(workspace.path(file), rights).unwrap();
        };
        let path = format!("{}:/usr/bin:/bin", workspace.path("bin").display());
        let counts = || {
            let mut line = vec![
                "run", "--output", "json", "--glob", "in/*", "--out", "c", "--",
            ];
            line.extend(cmd);
            let mut command = workspace.command(&line);
            command.env("HOME", workspace.store()).env("PATH", &path);
            let ran = workspace.start_command(command).finish();
            ran.code(0).job().counts()
        };
        write("1");
        assert_eq!(counts(), "1: 1 processed", "{cmd:?}");
        assert_eq!(counts(), "1: 1 skipped", "{cmd:?}");
        write("2");
        assert_eq!(counts(), "1: 1 processed", "{cmd:?}");
        assert_eq!(workspace.tree("c"), files([("f", "2\n")]), "{cmd:?}");
    }
}

#[test]
fn a_plan_names_the_code_that_changed() {
    let workspace = Workspace::new();
    workspace.file("in/a.txt", "ant\n");
    workspace.file("s.sh", "true\n");
    workspace.file("lib/m", "1\n");
    let rest = [
        "--glob", "in/*", "--out", "c", "--code", "lib", "--", "/bin/sh", "s.sh", "{}",
    ];
    let line = |verb: &[&'static str]| [verb, &rest].concat();
    workspace.call(&line(&["run"])).code(0);
    workspace.file("s.sh", "exit 0\n");
    let told = workspace.call(&line(&["plan", "--why"])).code(0);
    assert!(
        told.stdout.contains("code changed: s.sh"),
        "{}",
        told.stdout
    );
    workspace.file("lib/m", "2\n");
    let told = workspace.call(&line(&["plan", "--why"])).code(0);
    assert!(
        told.stdout.contains("code changed: lib/m, s.sh"),
        "{}",
        told.stdout
    );
}

#[test]
fn code_that_no_word_names_is_given_by_an_option() {
    let workspace = Workspace::new();
    workspace.file("in/a.txt", "ant\n");
    workspace.file("lib/deep/m.sh", "cat\n");
    let line = [
        "run", "--output", "json", "--glob", "in/*", "--out", "c", "--code", "lib", "--", "true",
        "{}",
    ];
    let counts = || workspace.call(&line).code(0).job().counts();
    assert_eq!(counts(), "1: 1 processed");
    assert_eq!(counts(), "1: 1 skipped");
    workspace.file("lib/deep/m.sh", "tac\n");
    assert_eq!(counts(), "1: 1 processed");
    let missing = [
        "run", "--glob", "in/*", "--out", "c", "--code", "library", "--", "true", "{}",
    ];
    workspace
        .call(&missing)
        .code(2)
        .says(&["library", "no file is found"]);
}

#[test]
fn code_that_changes_while_a_job_runs_voids_the_attempt_and_is_never_skipped_to() {
    let workspace = Workspace::new();
    workspace.file("in/a", "ant\n");
    let code = workspace.path("code.sh");
    let script = |version: u8| {
        format!(
            r#"echo >> "$OUTSIDE/runs"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done
            echo {version} > /pfs/out/a"#
        )
    };
    workspace.file("code.sh", script(1));
    let spec = Spec::new("made").reads("in", "/*");
    let spec = spec.cmd(&["sh", code.to_str().unwrap()]);
    let running = workspace.start_run(&spec, &[]);
    eventually("the command ran", || workspace.line_count("runs") == 1);
    workspace.file("code.sh", script(2));
    workspace.open_gate("gate");
    let told = running.finish().code(1).transcript();
    assert!(told.contains("code.sh changed while"), "{told}");
    // The former code is back; nothing of the void attempt counts.
    workspace.file("code.sh", script(1));
    assert_eq!(workspace.succeeds(&spec).counts(), "1: 1 processed");
    assert_eq!(workspace.tree("made"), files([("a", "1\n")]));
}
