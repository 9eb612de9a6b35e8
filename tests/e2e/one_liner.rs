//! `drover run` without a spec, in the spirit of GNU parallel.

use drover_tests::{Workspace, files};

fn two_notes() -> Workspace {
    let workspace = Workspace::new();
    workspace.file("notes/a.txt", "ant\n");
    workspace.file("notes/deep/b c.txt", "bee\n");
    workspace.file("notes/skip.md", "no\n");
    workspace
}

#[test]
fn a_command_line_is_a_pipeline() {
    let workspace = two_notes();
    let line = [
        "run",
        "--output",
        "json",
        "--glob",
        "notes:/*.txt",
        "--out",
        "loud",
        "--",
        "sh",
        "-c",
        "tr a-z A-Z < '{}' > '{out}/{/}'",
    ];
    assert_eq!(
        workspace.call(&line).code(0).job().counts(),
        "1: 1 processed"
    );
    assert_eq!(workspace.tree("loud"), files([("a.txt", "ANT\n")]));
    assert_eq!(workspace.call(&line).code(0).job().counts(), "1: 1 skipped");
}

#[test]
fn placeholders_name_the_parts_of_a_path() {
    let workspace = two_notes();
    let line = [
        "run",
        "--glob",
        "notes:/*/*.txt",
        "--out",
        "parts",
        "--",
        "sh",
        "-c",
        r#"printf '%s\n' "$@" > /pfs/out/parts"#,
        "sh",
        "{}",
        "{/}",
        "{.}",
        "{/.}",
        "{//}",
        "{#}",
    ];
    workspace.call(&line).code(0);
    let expected =
        "/pfs/notes/deep/b c.txt\nb c.txt\n/pfs/notes/deep/b c\nb c\n/pfs/notes/deep\n0\n";
    assert_eq!(workspace.tree("parts"), files([("parts", expected)]));
}

#[test]
fn its_plan_is_shown_by_the_same_line() {
    let workspace = two_notes();
    let plan = workspace
        .call(&[
            "plan",
            "--output",
            "json",
            "--glob",
            "notes:/**.txt",
            "--out",
            "loud",
            "--",
            "true",
        ])
        .code(0);
    assert_eq!(plan.lines().len(), 2);
    assert!(!workspace.path("loud").exists());
}

#[test]
fn its_failures_are_those_of_a_pipeline() {
    let workspace = two_notes();
    workspace
        .call(&[
            "run",
            "--glob",
            "notes:/*.txt",
            "--out",
            "loud",
            "--",
            "false",
        ])
        .code(1);
    workspace
        .call(&["run", "--glob", "notes:/*.txt", "--", "true"])
        .code(2);
    workspace
        .call(&["run", "--glob", "notes:/*.txt", "--out", "loud"])
        .code(2);
    workspace
        .call(&[
            "run",
            "--glob",
            "nothing-here:/*.txt",
            "--out",
            "loud",
            "--",
            "true",
        ])
        .says(&["nothing-here"]);
}

#[test]
fn two_inputs_of_one_name_are_an_error_that_names_both_files() {
    let place = Workspace::new();
    place.file("in/x/a.txt", "one\n");
    place.file("in/y/a.txt", "two\n");
    let line = |more: &[&'static str], target: &'static str| {
        let mut line = vec!["run", "--glob", "in/*/*.txt", "--out", "all"];
        line.extend(more);
        line.extend(["--", "cp", "{}", target]);
        line
    };
    let clash = place.call(&line(&[], "{out}/{/}")).code(1).transcript();
    for file in ["in:/x/a.txt", "in:/y/a.txt", "{rel}", "--concat"] {
        assert!(clash.contains(file), "{file} is missing: {clash}");
    }
    assert!(place.tree("all").is_empty());
    place.call(&line(&[], "{out}/{rel}")).code(0);
    let mirrored = files([("x/a.txt", "one\n"), ("y/a.txt", "two\n")]);
    assert_eq!(place.tree("all"), mirrored);
    place.call(&line(&["--concat"], "{out}/{/}")).code(0);
    assert_eq!(place.tree("all"), files([("a.txt", "one\ntwo\n")]));
}
