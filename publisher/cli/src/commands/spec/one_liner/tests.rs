//! One-liners and their specs.

use std::path::Path;

use clap::Parser;
use serde_json::{Value, json};

use super::input::check_glob;
use super::*;
use crate::args::{Cli, Command, OneLiner};
use crate::commands::spec::shell::PipeShell;

fn typed(arguments: &[&str]) -> OneLiner {
    let line = ["drover", "run"].iter().chain(arguments);
    let Command::Run(run) = Cli::try_parse_from(line).unwrap().command else {
        panic!("not a run");
    };
    run.sources.one_liner
}

/// The spec of a command line, typed in `/home/ann` with the store there.
fn spec_of(arguments: &[&str]) -> Result<Value, OneLinerError> {
    let here = Path::new("/home/ann");
    spec(
        &typed(arguments),
        &[],
        OneLinerContext {
            store: Some(here),
            current_dir: here,
            pipes: PipeShell::Plain,
        },
    )
}

fn cmd_of(arguments: &[&str]) -> String {
    let line: Vec<&str> = ["--glob", "logs:/*.gz", "--out", "o"]
        .iter()
        .chain(arguments)
        .copied()
        .collect();
    let spec = spec_of(&line).unwrap();
    let words: Vec<String> = serde_json::from_value(spec["transform"]["cmd"].clone()).unwrap();
    words.join(" | ")
}

#[test]
fn a_glob_names_a_folder_and_what_is_taken_from_it() {
    let rows = [
        ("photos:/*.jpg", "photos", None, "/*.jpg", None),
        ("photos:*.jpg", "photos", None, "/*.jpg", None),
        ("photos/*.jpg", "photos", None, "/*.jpg", None),
        ("./photos/*.jpg", "photos", None, "/*.jpg", None),
        (
            "photos/2026/*/*.jpg",
            "2026",
            Some("/home/ann/photos/2026"),
            "/*/*.jpg",
            None,
        ),
        ("photos/a.jpg", "photos", None, "/a.jpg", None),
        (
            "./photos/2026:/*.jpg",
            "2026",
            Some("/home/ann/photos/2026"),
            "/*.jpg",
            None,
        ),
        ("../bob/*.txt", "bob", Some("/home/bob"), "/*.txt", None),
        (
            "/data/my logs/*.gz",
            "my_logs",
            Some("/data/my logs"),
            "/*.gz",
            None,
        ),
        ("/*.gz", "input", Some("/"), "/*.gz", Some("/home/ann/o")),
        ("*.jpg", "ann", Some("/home/ann"), "/*.jpg", Some("/o")),
        (".:/**.jpg", "ann", Some("/home/ann"), "/**.jpg", Some("/o")),
        (
            "s3://bucket/logs/*.gz",
            "logs",
            Some("s3://bucket/logs"),
            "/*.gz",
            None,
        ),
        (
            "s3://bucket/a/b:/**.gz",
            "b",
            Some("s3://bucket/a/b"),
            "/**.gz",
            None,
        ),
        ("runs/*/", "runs", None, "/*/", None),
        ("logs/{a,b}/*.gz", "logs", None, "/{a,b}/*.gz", None),
    ];
    for (typed, name, url, glob, exclude) in rows {
        let spec = spec_of(&["--glob", typed, "--out", "o", "--", "true"]).unwrap();
        let pfs = &spec["input"]["pfs"];
        let found = (
            pfs["name"].as_str(),
            pfs["url"].as_str(),
            pfs["glob"].as_str(),
            pfs["exclude"].as_str(),
        );
        assert_eq!(found, (Some(name), url, Some(glob), exclude), "{typed}");
        assert_eq!(
            pfs["files_only"].as_bool().unwrap_or(false),
            !typed.ends_with('/'),
            "{typed}"
        );
    }
}

#[test]
fn a_command_gets_its_input_one_way_or_another() {
    let rows: [(&[&str], &str); 15] = [
        (
            &["--", "cp", "{}", "{out}/{rel}"],
            r#"sh | -c | mkdir -p "$(dirname "${4}")" && "${1}" "${2}" "${3}" | sh | cp | {} | {out}/{rel} | {out}/{rel}"#,
        ),
        (
            &["--", "gzip <{} >{out}/{rel}"],
            r#"sh | -c | mkdir -p "$(dirname "${4}")" && gzip <"${1}" >"${2}"/"${3}" | sh | {} | {out} | {rel} | {out}/{rel}"#,
        ),
        (
            &["--stdout", "{rel}", "--", "wc", "{}"],
            r#"sh | -c | mkdir -p "$(dirname "${3}")" && "${1}" "${2}" >"${3}" | sh | wc | {} | {out}/{rel}"#,
        ),
        (
            &["--", "convert", "{}", "{out}/{/}"],
            "convert | {} | {out}/{/}",
        ),
        (&["--", "gzip", "-t"], "gzip | -t | {}"),
        (&["--", "gzip", "-t", "{out}"], "gzip | -t | {out} | {}"),
        (&["--", "sh", "-c", "wc $logs"], "sh | -c | wc $logs"),
        (
            &["--", "sh", "-c", "wc /pfs/logs/*"],
            "sh | -c | wc /pfs/logs/*",
        ),
        (&["--", "wc {logs}"], r#"sh | -c | wc "${1}" | sh | {logs}"#),
        (&["--", "gzip -t"], r#"sh | -c | gzip -t "${1}" | sh | {}"#),
        (
            &["--stdin", "--", "wc", "-l"],
            r#"sh | -c | "${1}" "${2}" <"${3}" | sh | wc | -l | {}"#,
        ),
        (
            &["--stdin", "--", "zcat | wc"],
            "sh | -c | { zcat | wc\n} <\"${1}\" | sh | {}",
        ),
        (
            &["--stdout", "all.txt", "--", "wc", "{}"],
            r#"sh | -c | "${1}" "${2}" >"${3}" | sh | wc | {} | {out}/all.txt"#,
        ),
        (
            &["--stdout", "{/.}", "--", "zcat {}"],
            "sh | -c | { zcat \"${1}\"\n} >\"${2}\" | sh | {} | {out}/{/.}",
        ),
        (
            &["--stdout", "d/{/}", "--", "wc", "{}"],
            r#"sh | -c | mkdir -p "$(dirname "${3}")" && "${1}" "${2}" >"${3}" | sh | wc | {} | {out}/d/{/}"#,
        ),
    ];
    for (typed, cmd) in rows {
        assert_eq!(cmd_of(typed), cmd, "{typed:?}");
    }
}

#[test]
fn several_globs_are_every_combination() {
    let spec = spec_of(&[
        "--glob", "a/*", "--glob", "b/*", "--out", "o", "--", "compare",
    ])
    .unwrap();
    assert_eq!(spec["input"]["cross"][1]["pfs"]["name"], "b");
    assert_eq!(spec["transform"]["cmd"], json!(["compare", "{a}", "{b}"]));
}

#[test]
fn the_other_flags_become_fields() {
    let line = "--glob a/* --out o --tries 5 --timeout 1m30s --on-error true -- x";
    let spec = spec_of(&line.split(' ').collect::<Vec<_>>()).unwrap();
    assert_eq!(spec["datum_tries"], 5);
    assert_eq!(spec["datum_timeout"], "90s");
    assert_eq!(
        spec["transform"]["err_cmd"],
        json!(["sh", "-c", "true", "sh"])
    );
    assert_eq!(spec["pipeline"]["name"], "o");
    assert_eq!(spec["transform"]["placeholders"], true);
}

#[test]
fn several_writers_of_one_path_are_an_error_unless_that_is_asked_for() {
    let rows = [
        ("-- cp {} {out}/{/}", Some("error")),
        ("--concat -- cp {} {out}/{/}", None),
        ("--stdout all.txt -- wc", None),
        ("--stdout {/} -- wc", Some("error")),
    ];
    for (typed, conflict) in rows {
        let line = format!("--glob a/* --out o {typed}");
        let spec = spec_of(&line.split(' ').collect::<Vec<_>>()).unwrap();
        assert_eq!(spec["output_conflict"].as_str(), conflict, "{typed}");
    }
}

#[test]
fn a_word_in_braces_that_is_no_placeholder_is_found() {
    let rows: [(&[&str], &[&str]); 5] = [
        (&["cp", "{in}", "{out/}"], &["{in}", "{out/}"]),
        (&["cp", "{}", "{/..}"], &["{/..}"]),
        (&["cp", "{photos}", "{out}/{/}"], &[]),
        (&["awk", "{print}", "{}"], &[]),
        (&["for f in {}; do cp ${f} {output}; done"], &["{output}"]),
    ];
    for (command, expected) in rows {
        let line = ["--glob", "photos:/*", "--out", "o", "--"];
        let typed = typed(&[&line[..], command].concat());
        assert_eq!(foreign_placeholders(&typed, &["photos"]), expected);
    }
}

#[test]
fn a_glob_that_only_a_shell_could_read_is_refused() {
    let rows = [
        ("", "is empty"),
        ("'photos/*.jpg'", "quotes themselves"),
        ("~/photos/*.jpg", "begins with ~"),
        ("$HOME/photos/*.jpg", "name of a variable"),
    ];
    for (glob, expected) in rows {
        let told = check_glob(glob).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
    assert!(check_glob("./~/$a/*.jpg").is_ok());
}

#[test]
fn a_one_liner_without_sense_is_refused() {
    let rows: [(&[&str], &str); 3] = [
        (
            &["--glob", "a/*", "--out", "../x", "--", "y"],
            "--out names the pipeline",
        ),
        (&["--glob", "a/*", "--out", "o"], "--glob needs a command"),
        (
            &["--glob", "a/*", "--glob", "b/a/*", "--out", "o", "--", "y"],
            "two inputs have the name \"a\"",
        ),
    ];
    for (typed, words) in rows {
        let error = spec_of(typed).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
