//! Flags, variables, exit codes.

use std::net::TcpListener;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{ALONE, NOBODY, end, run, told, worker};

#[test]
fn help_is_data_and_a_success() {
    let output = worker().arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("Exit codes:") && output.stderr.is_empty());
}

#[test]
fn invalid_arguments_are_refused_before_any_connection() {
    let rows: [(&[&str], &str); 4] = [
        (&[], "--pipeline <NAME|PATTERN>"),
        (
            &["--pipeline", "p", "--broker", NOBODY, "--slots", "0"],
            "--slots",
        ),
        (
            &["--pipeline", "p", "--broker", "http://me:hunter2@host"],
            "amqp://",
        ),
        (
            &[
                "--pipeline",
                "p",
                "--broker",
                NOBODY,
                "--store",
                "ftp://me:hunter2@host",
            ],
            "ftp://",
        ),
    ];
    for (typed, word) in rows {
        let (code, told) = run(worker().args(typed));
        assert_eq!(code, Some(2), "{typed:?}: {told}");
        assert!(
            told.contains(word) && !told.contains("hunter2"),
            "{typed:?}: {told}"
        );
    }
}

#[test]
fn a_broker_that_is_not_there_ends_the_worker_without_telling_the_password() {
    let store = tempfile::tempdir().unwrap();
    for format in ["text", "json"] {
        // All settings come from variables, as in a pod.
        let (code, told) = run(worker()
            .env("DROVER_PIPELINES", "a,b")
            .env("DROVER_BROKER", NOBODY)
            .env("DROVER_STORE", store.path())
            .env("DROVER_CONNECT_TIMEOUT", "200ms")
            .env("DROVER_LOG", "debug")
            .env("DROVER_LOG_FORMAT", format));
        assert_eq!(code, Some(4), "{told}");
        assert!(
            told.contains("check --broker") && told.contains("127.0.0.1"),
            "{told}"
        );
        assert!(!told.contains("hunter2"), "{told}");
        if format == "json" {
            for line in told.lines() {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}

#[test]
fn a_store_that_is_not_there_ends_the_worker() {
    let (code, told) = run(worker().args([
        "--pipeline",
        "p",
        "--broker",
        NOBODY,
        "--store",
        "/no/such/folder",
    ]));
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("/no/such/folder"), "{told}");
}

#[test]
fn an_address_that_is_taken_ends_the_worker() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, told) =
        run(worker().args(["--pipeline", "p", "--broker", NOBODY, "--listen", &address]));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains(&address), "{told}");
}

#[test]
fn a_signal_is_heard_while_the_broker_is_being_reached() {
    let store = tempfile::tempdir().unwrap();
    let child = worker().args(ALONE).arg(store.path()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    told(child, "answering", |child| {
        kill(pid, Signal::SIGTERM).unwrap();
        let output = end(child);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    });
}
