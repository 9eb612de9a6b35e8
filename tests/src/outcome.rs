//! Result of a finished `drover`.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::Value;

/// Exit status and output of a process.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its data.
    pub stdout: String,
    /// Its talk.
    pub stderr: String,
}

impl Outcome {
    /// Asserts the exit code.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert!(
            self.status.code() == Some(code),
            "expected exit code {code} of {}",
            self.transcript()
        );
        self
    }

    /// The lines of stdout, each a JSON value.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line);
        let lines: Result<Vec<Value>, _> = self.stdout.lines().map(parse).collect();
        lines.unwrap_or_else(|error| {
            panic!("stdout is not JSON lines: {error}\n{}", self.transcript())
        })
    }

    /// The only job record on stdout.
    #[track_caller]
    pub fn job(&self) -> Job {
        let mut lines = self.lines();
        assert!(
            lines.len() == 1,
            "expected one job record on stdout of {}",
            self.transcript()
        );
        Job(lines.remove(0))
    }

    /// The error object on stderr.
    #[track_caller]
    pub fn error(&self) -> Value {
        let errors = self
            .stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let error = errors
            .filter_map(|line| line.get("error").cloned())
            .next_back();
        error.unwrap_or_else(|| panic!("expected a JSON error on stderr of {}", self.transcript()))
    }

    /// Asserts that stderr holds each of the `words`.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stderr.contains(word),
                "expected {word:?} on stderr of {}",
                self.transcript()
            );
        }
        self
    }

    /// All of it, for a failing test.
    pub fn transcript(&self) -> String {
        let ending = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "no ending".to_owned(),
        };
        format!(
            "{ending}\n--- stdout\n{}--- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}

/// A job record as `run`, `wait` and `job` print it.
#[derive(Clone, Debug)]
pub struct Job(pub Value);

impl Job {
    /// Its id.
    pub fn id(&self) -> &str {
        self.0["job"].as_str().expect("a record has an id")
    }

    /// The end of its id, as people see it.
    pub fn short_id(&self) -> &str {
        let id = self.id();
        &id[id.len() - 8..]
    }

    /// Its state.
    pub fn state(&self) -> &str {
        self.0["state"].as_str().expect("a record has a state")
    }

    /// True if the job is in a final state.
    pub fn has_ended(&self) -> bool {
        ["success", "failure", "killed"].contains(&self.state())
    }

    /// Reason of a failed or killed job; empty for other jobs.
    pub fn reason(&self) -> &str {
        self.0["reason"].as_str().unwrap_or_default()
    }

    /// A count of the job: `total`, `processed`, `skipped`, `failed` or `recovered`.
    pub fn count(&self, of: &str) -> u64 {
        self.0["datums"][of]
            .as_u64()
            .unwrap_or_else(|| panic!("no count of {of} in {}", self.0))
    }

    /// All counts that are not 0, such as `3: 2 processed, 1 failed`.
    pub fn counts(&self) -> String {
        let parts: Vec<String> = ["processed", "skipped", "failed", "recovered"]
            .into_iter()
            .filter(|of| self.count(of) > 0)
            .map(|of| format!("{} {of}", self.count(of)))
            .collect();
        format!("{}: {}", self.count("total"), parts.join(", "))
    }
}
