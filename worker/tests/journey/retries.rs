//! Attempts: their number, their environment, and the end of a datum without further attempts.

use drover_shared::datum::{Cause, VerdictState};
use drover_shared::wire::Event;
use serde_json::{Value, json};

use crate::farm::Farm;

async fn run(spec: Value) -> (Farm, drover_shared::datum::Verdict) {
    let mut farm = Farm::with(spec).await;
    farm.write("a", "A\n");
    let verdict = farm.run_one("a").await;
    (farm, verdict)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_is_tried_as_often_as_the_spec_says() {
    let script = "echo $DROVER_ATTEMPT >&2; exit 7";
    let (farm, verdict) =
        run(json!({"transform": {"cmd": ["sh", "-c", script]}, "datum_tries": 2})).await;
    assert_eq!(verdict.state, VerdictState::Failed);
    assert_eq!(verdict.attempts, 2);
    assert_eq!(
        verdict.cause,
        Some(Cause::Exit {
            code: 7,
            last_line: "2".into()
        })
    );
    assert!(verdict.staged.is_empty());
    let logs = farm.logs(0).await;
    assert_eq!(logs.len(), 2);
    assert!(
        logs[0].ends_with("F 1\n") && logs[1].ends_with("F 2\n"),
        "{logs:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_started_is_not_tried_again() {
    for command in ["no-such-command", "/etc/hostname"] {
        let spec = json!({"transform": {"cmd": [command]}, "datum_tries": 3});
        let (_farm, verdict) = run(spec).await;
        assert!(
            matches!(verdict.cause, Some(Cause::Start { .. })),
            "{:?}",
            verdict.cause
        );
        assert_eq!(verdict.attempts, 1, "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_datum_that_pauses_between_attempts_leaves_its_slot_to_others() {
    // The datum `a` fails until `b` has run, and finds its `/tmp` again.
    let script = "case $in in */a) echo x >> /tmp/n; if test -e $FARM/b; then cp /tmp/n /pfs/out/; else exit 1; fi;; *) touch $FARM/b;; esac";
    let spec = json!({"transform": {"cmd": ["sh", "-c", script]}, "datum_tries": 9});
    let mut farm = Farm::with(spec).await;
    farm.write("a", "A");
    farm.write("b", "B");
    farm.publish(vec![farm.datum(0, "a")]).await;
    farm.publish(vec![farm.datum(1, "b")]).await;
    let worker = farm.work(farm.settings());
    let (first, _) = farm.ended().await;
    let (second, _) = farm.ended().await;
    assert_eq!((first.index, second.index), (1, 0));
    let attempts = usize::try_from(second.attempts).unwrap();
    assert_eq!(farm.output(&second, "/n"), "x\n".repeat(attempts));
    farm.tokens.soft.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_finds_an_empty_output_and_the_old_tmp() {
    let script =
        "test -e /tmp/before && { ls -A /pfs/out > /tmp/seen; mv /tmp/seen /pfs/out/seen; exit 0; }
        touch /tmp/before /pfs/out/left-over; exit 1";
    let (farm, verdict) = run(json!({"transform": {"cmd": ["sh", "-c", script]}})).await;
    assert_eq!(
        (verdict.state, verdict.attempts),
        (VerdictState::Success, 2)
    );
    assert_eq!(farm.output(&verdict, "/seen"), "");
    assert_eq!(verdict.outputs.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_accepted_is_a_success() {
    let spec = json!({"transform": {"cmd": ["sh", "-c", "exit 3"], "accept_return_code": [3]}});
    let (_, verdict) = run(spec).await;
    assert_eq!(
        (verdict.state, verdict.attempts),
        (VerdictState::Success, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn err_cmd_has_the_last_word_and_its_output_is_thrown_away() {
    let rows = [
        ("echo x > /pfs/out/x; cat $in", VerdictState::Recovered),
        ("exit 4", VerdictState::Failed),
    ];
    for (rescue, expected) in rows {
        let transform = json!({"cmd": ["sh", "-c", "exit 3"], "err_cmd": ["sh", "-c", rescue]});
        let (farm, verdict) = run(json!({"transform": transform, "datum_tries": 2})).await;
        assert_eq!((verdict.state, verdict.attempts), (expected, 2), "{rescue}");
        let cause = Cause::Exit {
            code: 3,
            last_line: String::new(),
        };
        assert_eq!(verdict.cause, Some(cause), "{rescue}");
        assert!(
            verdict.outputs.is_empty() && farm.staged_files().is_empty(),
            "{rescue}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_fail_has_its_cause() {
    let rows = [
        (
            json!({"cmd": ["sh", "-c", "echo no such column >&2; exit 2"]}),
            "exit 2: no such column",
        ),
        (json!({"cmd": ["sh", "-c", "kill -9 $$"]}), "signal 9"),
        (json!({"cmd": ["/no/such/command"]}), "start"),
        (json!({"cmd": ["sh", "-c", "sleep 100"]}), "timeout"),
    ];
    for (transform, expected) in rows {
        let spec = json!({"transform": transform, "datum_tries": 1, "datum_timeout": "1s"});
        let (_, verdict) = run(spec).await;
        assert_eq!(verdict.state, VerdictState::Failed, "{transform}");
        let cause = match verdict.cause.unwrap() {
            Cause::Exit { code, last_line } => format!("exit {code}: {last_line}"),
            Cause::Signal { signal, .. } => format!("signal {signal}"),
            Cause::Timeout { .. } => "timeout".to_owned(),
            Cause::Start { message } => {
                assert!(message.contains("/no/such/command"), "{message}");
                "start".to_owned()
            }
            other => format!("{other:?}"),
        };
        assert_eq!(cause, expected, "{transform}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stdin_and_environment_reach_the_command() {
    let say = "echo $GREETING $INHERITED $PPS_PIPELINE_NAME $DROVER_DATUM_INDEX $in $PFS $TMPDIR";
    let spec = json!({"transform": {
        "cmd": ["sh"],
        "stdin": ["exec > /pfs/out/x", say, "cat $in"],
        "env": {"GREETING": "hello"},
    }});
    let mut farm = Farm::with(spec).await;
    farm.write("a", "A\n");
    let mut settings = farm.settings();
    settings
        .environment
        .insert("INHERITED".into(), "yes".into());
    farm.publish(vec![farm.datum(0, "a")]).await;
    let _worker = farm.work(settings);
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!(
        farm.output(&verdict, "/x"),
        "hello yes p 0 /pfs/in/a /pfs /tmp\nA\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn placeholders_are_filled_in_where_the_spec_asks_for_it() {
    for (placeholders, expected) in [(true, "/pfs/in/a a 0\n"), (false, "{} {/} {#}\n")] {
        let script = "echo \"$@\" > /pfs/out/x";
        let cmd = ["sh", "-c", script, "sh", "{}", "{/}", "{#}"];
        let (farm, verdict) =
            run(json!({"transform": {"cmd": cmd, "placeholders": placeholders}})).await;
        assert_eq!(farm.output(&verdict, "/x"), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_hears_of_long_attempts_and_of_retries() {
    let spec = json!({"transform": {"cmd": ["sh", "-c", "test $DROVER_ATTEMPT = 2 || { sleep 0.5; exit 1; }"]}});
    let mut farm = Farm::with(spec).await;
    farm.write("a", "A\n");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let _worker = farm.work(farm.settings());
    let mut heard = Vec::new();
    loop {
        match farm.report().await.event {
            Event::Running { attempt, .. } => heard.push(format!("running {attempt}")),
            Event::Retrying { attempt, .. } => heard.push(format!("retrying {attempt}")),
            Event::Ended { verdict, .. } => {
                heard.push(format!("{:?} {}", verdict.state, verdict.attempts));
                break;
            }
            Event::Committed { index, .. } => panic!("the verdict of datum {index} is small"),
            Event::Held { worker, .. } => panic!("nobody asked {worker} what it holds"),
            Event::Released { worker } => {
                panic!("nobody stopped the job, but {worker} let go of it")
            }
        }
    }
    assert_eq!(heard, ["running 1", "retrying 1", "Success 2"]);
}
