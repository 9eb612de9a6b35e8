//! The command line, exit codes and signals of the worker's binary.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which may unwrap as tests do"
)]

mod command_line;
mod hardening;
mod pid_one;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Deadline of waits.
const SOON: Duration = Duration::from_secs(30);

/// An address without a listener, with a password.
const NOBODY: &str = "amqp://me:hunter2@127.0.0.1:1/";

/// The flags of a worker that waits for a broker, up to its store's folder.
const ALONE: [&str; 9] = [
    "--pipeline",
    "p",
    "--broker",
    NOBODY,
    "--connect-timeout",
    "1h",
    "--listen",
    "127.0.0.1:0",
    "--store",
];

/// The binary, as if nothing was set in the environment.
fn worker() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_drover-worker")))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DROVER_") {
            command.env_remove(name);
        }
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the exit of a process; kills the process at the deadline.
fn end(mut child: Child) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.kill().unwrap();
            panic!("not in time: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().unwrap()
}

/// Waits until a worker has written `word` on standard error, then continues with `then`.
fn told(mut child: Child, word: &str, then: impl FnOnce(Child)) {
    let stderr = child.stderr.take().unwrap();
    let (say, hear) = mpsc::channel();
    // The thread reads to the end, so that the worker never waits for a reader.
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = say.send(line);
        }
    });
    let begun = Instant::now();
    loop {
        match hear.recv_timeout(SOON.saturating_sub(begun.elapsed())) {
            Ok(line) if line.contains(word) => break,
            Ok(_) => {}
            Err(_) => {
                child.kill().unwrap();
                panic!("{word:?} was not said in time");
            }
        }
    }
    then(child);
    reader.join().unwrap();
}

/// Exit code and standard error.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = end(command.spawn().unwrap());
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}
