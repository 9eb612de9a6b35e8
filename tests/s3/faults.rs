//! A bucket that fails: short trouble is ridden out, long trouble is told within a minute.

use std::time::{Duration, Instant};

use drover_tests::s3::{Fault, FaultKind, S3};
use drover_tests::{Outcome, Spec};

use crate::field::Field;

/// No command waits longer for a bucket that is gone.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Copies, and notes each run in `runs`.
fn copy() -> Spec {
    let script = r#"echo >> "$OUTSIDE/runs"; cp "$in" /pfs/out/"#;
    Spec::new("copy").reads("in", "/*").sh(script)
}

/// Runs a command with a store that does not exist.
fn lists_jobs(field: &Field, store: &str, environment: &[(&str, &str)]) -> Outcome {
    let mut command = field.command(&["jobs"]);
    command
        .env("DROVER_STORE", store)
        .envs(environment.iter().copied());
    let begun = Instant::now();
    let outcome = field.workspace.start_command(command).finish();
    assert!(begun.elapsed() < A_MINUTE, "it took {:?}", begun.elapsed());
    outcome
}

#[test]
fn short_trouble_of_every_kind_changes_nothing() {
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 8);
    let kinds = [
        FaultKind::Answer(500, "InternalError"),
        FaultKind::Answer(503, "SlowDown"),
        FaultKind::Close,
        FaultKind::LoseAnswer,
        FaultKind::Delay(Duration::from_millis(300)),
    ];
    for (number, method) in ["GET", "PUT", "POST", "HEAD"].iter().enumerate() {
        for (kind, harm) in kinds.iter().enumerate() {
            let fault = Fault::on(method, "", harm.clone()).after(3 * kind + number);
            field.s3.harm(fault.times(2));
        }
    }
    let job = field.succeeds(&copy());
    assert_eq!(job.counts(), "8: 8 processed");
    assert_eq!(
        field.workspace.line_count("runs"),
        8,
        "trouble let something run again"
    );
    assert_eq!(field.tree("copy"), field.tree("in"));
    field.s3.heal();
    assert_eq!(field.succeeds(&copy()).counts(), "8: 8 skipped");
}

#[test]
fn a_verdict_whose_answer_is_lost_is_not_taken_for_anothers() {
    for harm in [
        FaultKind::LoseAnswer,
        FaultKind::Answer(500, "InternalError"),
    ] {
        let field = Field::new();
        field.s3.put_numbered("cluster/in", 4);
        field.s3.harm(Fault::on("PUT", "/commits/", harm).times(3));
        assert_eq!(field.succeeds(&copy()).counts(), "4: 4 processed");
        assert_eq!(field.tree("copy"), field.tree("in"));
    }
}

#[test]
fn what_arrives_damaged_is_refused_and_sent_again() {
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 4);
    field
        .s3
        .harm(Fault::on("PUT", "/staged/", FaultKind::Damage).times(2));
    field
        .s3
        .harm(Fault::on("PUT", "/commits/", FaultKind::Damage).times(1));
    assert_eq!(field.succeeds(&copy()).counts(), "4: 4 processed");
    assert_eq!(
        field.workspace.line_count("runs"),
        4,
        "damage let something run again"
    );
    assert_eq!(field.tree("copy"), field.tree("in"));
}

/// Each command waits for the end of its retry budget, so all wait at the same time.
#[test]
fn long_trouble_is_told_within_a_minute() {
    std::thread::scope(|scope| {
        scope.spawn(a_server_that_is_gone_is_told_within_a_minute);
        scope.spawn(a_server_that_is_silent_is_told_within_a_minute);
        scope.spawn(a_server_that_fails_on_and_on_is_told_with_its_own_words);
        scope.spawn(a_full_bucket_ends_the_run_with_the_reason);
    });
}

fn a_server_that_is_gone_is_told_within_a_minute() {
    let field = Field::new();
    let dead = S3::start().environment()[0].1.clone(); // its port is closed again
    let outcome = lists_jobs(&field, "s3://cluster", &[("AWS_ENDPOINT", &dead)]);
    outcome
        .code(4)
        .says(&["s3://cluster", &dead, "Connection refused"]);
}

fn a_server_that_is_silent_is_told_within_a_minute() {
    let field = Field::new();
    field
        .s3
        .harm(Fault::on("GET", "", FaultKind::Delay(2 * A_MINUTE)));
    lists_jobs(&field, "s3://cluster", &[])
        .code(4)
        .says(&["s3://cluster", "did not answer"]);
}

fn a_server_that_fails_on_and_on_is_told_with_its_own_words() {
    let field = Field::new();
    field
        .s3
        .harm(Fault::on("GET", "", FaultKind::Answer(503, "SlowDown")));
    lists_jobs(&field, "s3://cluster", &[])
        .code(4)
        .says(&["s3://cluster", "503", "SlowDown"]);
}

#[test]
fn who_is_refused_is_told_the_reason_and_no_secret() {
    let field = Field::new();
    let outcome = lists_jobs(
        &field,
        "s3://cluster",
        &[("AWS_SECRET_ACCESS_KEY", "a-wrong-secret")],
    );
    let outcome = outcome
        .code(4)
        .says(&["s3://cluster", "access denied", "SignatureDoesNotMatch"]);
    assert!(
        !outcome.stderr.contains("a-wrong-secret"),
        "{}",
        outcome.stderr
    );
    field
        .s3
        .harm(Fault::on("GET", "", FaultKind::Answer(403, "AccessDenied")));
    let outcome = lists_jobs(&field, "s3://cluster", &[])
        .code(4)
        .says(&["access denied", "AccessDenied"]);
    for secret in [field.s3.secret(), "SIGNED-SECRET"] {
        assert!(!outcome.stderr.contains(secret), "{}", outcome.stderr);
    }
}

#[test]
fn a_bucket_that_does_not_exist_is_the_callers_mistake() {
    let field = Field::new();
    let outcome = lists_jobs(&field, "s3://nowhere", &[]);
    outcome.code(2).says(&["s3://nowhere", "no such bucket"]);
}

fn a_full_bucket_ends_the_run_with_the_reason() {
    for (status, code) in [(403, "QuotaExceeded"), (507, "InsufficientStorage")] {
        let field = Field::new();
        field.put("in/a", "x");
        field.s3.harm(Fault::on(
            "PUT",
            "record.json",
            FaultKind::Answer(status, code),
        ));
        field
            .run(&copy())
            .code(4)
            .says(&["no space left in the store", code]);
    }
}
