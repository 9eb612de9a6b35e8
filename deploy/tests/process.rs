//! The operator's binary on the command line.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::process::{Command, Output};

/// The binary, as if nothing was set in the environment.
fn operator(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drover-operator"));
    command.env_clear().args(arguments).output().unwrap()
}

#[test]
fn it_prints_the_definition_that_is_committed() {
    let output = operator(&["crd"]);
    assert!(output.status.success());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, include_str!("../crd/pipelines.yaml"));
}

#[test]
fn what_makes_no_sense_is_refused_without_the_password() {
    let rows = [
        (vec!["--store", "/data", "--namespace", "farm"], "--broker"),
        (
            vec!["--store", "/data", "--broker", "amqp://me:hunter2@host"],
            "--namespace",
        ),
        (
            vec![
                "--store",
                "ftp://x",
                "--namespace",
                "farm",
                "--broker",
                "amqp://me:hunter2@host",
            ],
            "--store",
        ),
        (
            vec![
                "--store",
                "/data",
                "--namespace",
                "farm",
                "--broker",
                "http://me:hunter2@host",
            ],
            "--broker",
        ),
    ];
    for (arguments, word) in rows {
        let output = operator(&arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(
            said.contains(word) && !said.contains("hunter2"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn without_a_cluster_it_says_so() {
    let output = operator(&[
        "--store",
        "/data",
        "--namespace",
        "farm",
        "--broker",
        "amqp://me:hunter2@127.0.0.1:1",
    ]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot find the cluster") && !said.contains("hunter2"),
        "{said}"
    );
}
