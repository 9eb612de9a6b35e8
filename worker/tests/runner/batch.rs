//! Batch commands are started once, shown datum after datum on request, and ended when no longer needed.

use std::fs::{self, DirEntry};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use drover_worker::runner::{
    Ending, Inputs, MountKind, NEXT_DATUM, Order, Runner, RunnerSettings, SandboxMode,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::slot::{MODES, Slot, input, settings};

/// Copies the input of each datum to `out` and logs a line.
const LOOP: &str = r#"
    echo $$ >> "$STORE/started"; ls -A "$PFS" > "$STORE/before"
    while next-datum; do . "$PFS/.env"; cat "$PFS"/in/* > "$PFS/out/$N"; echo "did $N"; done"#;

/// An order for a batch script, with the datum `N`.
fn order(slot: &Slot, script: &str, n: u32) -> Order {
    let source = slot.file(&format!("in/{n}"), &format!("text {n}"));
    let asking = slot.runner.next_datum().display().to_string();
    let mut order = slot.sh(script);
    order.inputs = Inputs::Fresh(vec![input(&source, &format!("in/{n}"), MountKind::File)]);
    order.batch = Some(format!("N={n}\n"));
    let path = format!("{asking}:{}", order.env["PATH"]);
    order.env.insert("PATH".to_owned(), path);
    order.env.insert(NEXT_DATUM.to_owned(), asking);
    order
}

fn same(mut order: Order) -> Order {
    order.inputs = Inputs::Same;
    order
}

fn lines(slot: &Slot, file: &str) -> usize {
    let told = fs::read_to_string(slot.folder.path().join("store").join(file));
    told.unwrap_or_default().lines().count()
}

/// Number of processes of this name with the slot's store in their environment.
fn running(slot: &Slot, name: &str) -> usize {
    let mark = slot.folder.path().as_os_str().as_bytes();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let of_slot = |process: &DirEntry| {
        let read = |file| fs::read(process.path().join(file)).unwrap_or_default();
        let environment = read("environ");
        let knows = environment.windows(mark.len()).any(|part| part == mark);
        knows && String::from_utf8_lossy(&read("cmdline")).contains(name)
    };
    processes.filter(of_slot).count()
}

#[tokio::test]
async fn a_batch_command_is_started_once_and_shown_datum_after_datum() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        for n in 1..=3 {
            let _ = fs::remove_file(slot.log());
            let execution = slot.run(&order(&slot, LOOP, n)).await;
            assert_eq!(execution.ending, Ending::Asked, "{mode:?} {execution:?}");
            assert_eq!(
                slot.out(&n.to_string()),
                Some(format!("text {n}")),
                "{mode:?}"
            );
            assert_eq!(
                slot.out(&(n - 1).to_string()),
                None,
                "{mode:?}: out is not empty"
            );
            assert_eq!(slot.logged(), format!("stdout F did {n}\n"), "{mode:?}");
            assert_eq!(execution.last_line, format!("did {n}"));
        }
        assert_eq!(lines(&slot, "started"), 1, "{mode:?}");
        assert_eq!(
            lines(&slot, "before"),
            0,
            "{mode:?}: nothing is shown before it asks"
        );
        slot.runner.end().await;
        assert!(!slot.folder.path().join("scratch").exists(), "{mode:?}");
    }
}

#[tokio::test]
async fn a_batch_command_can_fail_a_datum_and_keeps_its_tmp() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = r#"
            echo $$ >> "$STORE/started"; next-datum; touch "$TMPDIR/mine" "$PFS/out/rubbish"
            next-datum --error "no such
column"; next-datum; ls "$PFS/out" "$TMPDIR"; next-datum; ls "$TMPDIR"; next-datum"#;
        let execution = slot.run(&order(&slot, script, 1)).await;
        let gave_up = Ending::GaveUp("no such column".to_owned());
        assert_eq!(execution.ending, gave_up, "{mode:?} {execution:?}");
        let again = same(order(&slot, script, 1));
        assert_eq!(slot.run(&again).await.ending, Ending::Asked, "{mode:?}");
        assert!(slot.logged().contains("mine"), "{mode:?} {}", slot.logged());
        assert!(
            !slot.logged().contains("rubbish"),
            "{mode:?} {}",
            slot.logged()
        );
        let _ = fs::remove_file(slot.log());
        let next = order(&slot, script, 2);
        assert_eq!(slot.run(&next).await.ending, Ending::Asked, "{mode:?}");
        assert!(slot.logged().contains("mine"), "{mode:?} {}", slot.logged());
        assert_eq!(lines(&slot, "started"), 1, "{mode:?}");
    }
}

#[tokio::test]
async fn an_exit_of_a_batch_command_fails_its_datum_and_the_next_datum_starts_another() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = r#"
            echo $$ >> "$STORE/started"; next-datum; . "$PFS/.env"; touch "$TMPDIR/of-$N"
            if [ $N = 1 ]; then echo broken >&2; sleep 1000 & exit 3; fi; ls "$TMPDIR"; next-datum"#;
        let execution = slot.run(&order(&slot, script, 1)).await;
        assert_eq!(
            execution.ending,
            Ending::Exited(3),
            "{mode:?} {execution:?}"
        );
        assert_eq!(execution.last_line, "broken");
        let again = slot.run(&same(order(&slot, script, 1))).await;
        assert_eq!(again.ending, Ending::Exited(3), "{mode:?} {again:?}");
        let _ = fs::remove_file(slot.log());
        let next = slot.run(&order(&slot, script, 2)).await;
        assert_eq!(next.ending, Ending::Asked, "{mode:?} {next:?}");
        assert_eq!(lines(&slot, "started"), 3, "{mode:?}");
        assert_eq!(
            slot.logged(),
            "stdout F of-2\n",
            "{mode:?}: /tmp is a new process's own"
        );
        let never = order(&slot, "exit 0", 3);
        assert_eq!(slot.run(&never).await.ending, Ending::Exited(0), "{mode:?}");
    }
}

#[tokio::test]
async fn the_time_limit_covers_one_datum_and_a_batch_command_that_never_requests_one() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let limited = |slot: &Slot, script: &str, n| Order {
            timeout: Some(Duration::from_millis(600)),
            grace: Duration::ZERO,
            ..order(slot, script, n)
        };
        let steady = "while next-datum; do sleep 0.25; done";
        for n in 1..=4 {
            let execution = slot.run(&limited(&slot, steady, n)).await;
            assert_eq!(
                execution.ending,
                Ending::Asked,
                "{mode:?} {n} {execution:?}"
            );
        }
        for hangs in ["next-datum; sleep 1000", "sleep 1000"] {
            let execution = slot.run(&limited(&slot, hangs, 5)).await;
            assert_eq!(execution.ending, Ending::TimedOut, "{mode:?} {hangs}");
        }
        let cancel = CancellationToken::new();
        cancel.cancel();
        let stopped = order(&slot, "next-datum; sleep 1000", 6);
        let stopped = slot.runner.run(&stopped, &cancel).await.unwrap();
        assert_eq!(stopped.ending, Ending::Cancelled, "{mode:?}");
    }
}

#[tokio::test]
async fn an_order_for_another_command_ends_all_processes_of_the_batch_command() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = r"sleep 1000 & while next-datum; do (trap '' TERM; sleep 1000) & done";
        assert_eq!(
            slot.run(&order(&slot, script, 1)).await.ending,
            Ending::Asked
        );
        let mut other = order(&slot, LOOP, 2);
        other.env.insert("JOB".to_owned(), "another".to_owned());
        assert_eq!(slot.run(&other).await.ending, Ending::Asked, "{mode:?}");
        assert_eq!(running(&slot, "sleep"), 0, "{mode:?}");
        let plain = slot.sh("test ! -e \"$TMPDIR/.drover\"");
        assert_eq!(slot.run(&plain).await.ending, Ending::Exited(0), "{mode:?}");
        assert_eq!(running(&slot, "next-datum"), 0, "{mode:?}");
    }
}

#[tokio::test]
async fn an_idle_batch_command_is_ended_and_its_output_discarded() {
    for mode in MODES {
        let folder = tempfile::tempdir().unwrap();
        let settings = RunnerSettings {
            idle: Duration::from_millis(500),
            ..settings(folder.path(), mode)
        };
        let runner = Runner::start(&settings).await.unwrap();
        let mut slot = Slot { runner, folder };
        let script = r#"
            (while :; do echo noise; sleep 0.01; done) & echo $$ >> "$STORE/started"
            while next-datum; do . "$PFS/.env"; echo "did $N"; done"#;
        let execution = slot.run(&order(&slot, script, 1)).await;
        assert_eq!(execution.ending, Ending::Asked, "{mode:?}");
        let kept = fs::metadata(slot.log()).unwrap().len();
        let gone = async {
            while running(&slot, "sh") > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.unwrap();
        assert_eq!(fs::metadata(slot.log()).unwrap().len(), kept, "{mode:?}");
        let next = slot.run(&order(&slot, script, 2)).await;
        assert_eq!(next.ending, Ending::Asked, "{mode:?} {next:?}");
        assert_eq!(lines(&slot, "started"), 2, "{mode:?}");
    }
}

#[tokio::test]
async fn a_request_of_an_exited_client_does_not_end_the_datum() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = r#"
            next-datum; timeout 0.1 next-datum; touch "$STORE/impatient"; while [ ! -e "$STORE/go" ]; do sleep 0.01; done
            next-datum; . "$PFS/.env"; touch "$PFS/out/$N"; next-datum"#;
        assert_eq!(
            slot.run(&order(&slot, script, 1)).await.ending,
            Ending::Asked
        );
        let store = slot.folder.path().join("store");
        let gone = async {
            while !store.join("impatient").exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), gone).await.unwrap();
        fs::write(store.join("go"), "").unwrap();
        let execution = slot.run(&order(&slot, script, 2)).await;
        assert_eq!(execution.ending, Ending::Asked, "{mode:?} {execution:?}");
        assert!(
            slot.out("2").is_some(),
            "{mode:?}: it was not given the datum"
        );
    }
}

#[tokio::test]
async fn a_batch_command_that_damages_its_socket_harms_no_other_datum() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    for harm in [
        "mv $TMPDIR/.drover $TMPDIR/moved",
        "rm -rf $TMPDIR/.drover",
        "mkdir $TMPDIR/d; mv $TMPDIR/.drover $TMPDIR/d; ln -s / $TMPDIR/.drover",
        "printf 'GET / HTTP/1.1\\r\\n' | timeout 1 python3 -c 'import socket,sys,os; s=socket.socket(socket.AF_UNIX); s.connect(os.environ[\"DROVER_NEXT_DATUM\"]+\"/ask\"); s.send(sys.stdin.buffer.read())'",
    ] {
        let script = format!("next-datum; {harm} 2> /dev/null; sleep 0.1; exit 7");
        let execution = slot.run(&order(&slot, &script, 1)).await;
        assert_eq!(execution.ending, Ending::Exited(7), "{harm}: {execution:?}");
        let next = slot.run(&order(&slot, LOOP, 2)).await;
        assert_eq!(next.ending, Ending::Asked, "{harm}: {next:?}");
    }
}
