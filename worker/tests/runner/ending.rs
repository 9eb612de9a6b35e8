//! No process of a command survives, however the command ends.

use std::fs;
use std::time::{Duration, Instant};

use drover_worker::runner::{Ending, Runner, RunnerError, SandboxMode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;

use crate::slot::{MODES, Slot};

/// Long enough for anything but a hang.
const DEADLINE: Duration = Duration::from_secs(20);

/// A word that only processes of this test have on their command line.
fn marker() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "98{}.{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// Number of processes of this machine with the argument `marker`.
fn alive(marker: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let has_marker = |line: Vec<u8>| {
        line.split(|&byte| byte == 0)
            .any(|word| word == marker.as_bytes())
    };
    processes
        .filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(has_marker))
        .count()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn orphans_of_a_command_are_killed() {
    for mode in MODES {
        for script in [
            "sleep MARK & exit 0",
            "nohup sleep MARK > /dev/null 2>&1 & exit 0",
            "setsid sleep MARK & exit 0",
            "(setsid sh -c 'sleep MARK & sleep MARK' &) ; exit 0",
            "trap '' TERM HUP INT; (trap '' TERM; sleep MARK) & exit 0",
            "sleep MARK & kill -STOP $!; exit 0",
            "for i in 1 2 3 4 5 6 7 8; do (for j in 1 2 3 4; do setsid sleep MARK & done) & done; exit 0",
        ] {
            let marker = marker();
            let mut slot = Slot::with(mode).await;
            let order = slot.sh(&script.replace("MARK", &marker));
            let begun = Instant::now();
            assert_eq!(
                slot.run(&order).await.ending,
                Ending::Exited(0),
                "{mode:?} {script}"
            );
            assert!(
                begun.elapsed() < DEADLINE,
                "{mode:?} {script}: did not wait for strays"
            );
            assert_eq!(alive(&marker), 0, "{mode:?} {script}");
        }
    }
}

#[tokio::test]
async fn a_timeout_ends_the_command_and_all_it_started() {
    for mode in MODES {
        for (script, grace, longest) in [
            ("sleep MARK & sleep MARK", 10_000, 5_000),
            (
                "trap '' TERM; sleep MARK & sleep MARK; sleep MARK",
                200,
                8_000,
            ),
            (
                "trap '' TERM; while :; do sleep MARK & wait $!; done",
                0,
                5_000,
            ),
        ] {
            let marker = marker();
            let mut slot = Slot::with(mode).await;
            let mut order = slot.sh(&script.replace("MARK", &marker));
            order.timeout = Some(Duration::from_millis(200));
            order.grace = Duration::from_millis(grace);
            let execution = slot.run(&order).await;
            assert_eq!(execution.ending, Ending::TimedOut, "{mode:?} {script}");
            assert!(
                execution.process_time >= Duration::from_millis(200),
                "{execution:?}"
            );
            assert!(
                execution.process_time < Duration::from_millis(longest),
                "{execution:?}"
            );
            assert_eq!(alive(&marker), 0, "{mode:?} {script}");
        }
    }
}

#[tokio::test]
async fn a_command_may_end_in_its_own_way_within_the_grace() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let mut order = slot.sh("trap 'echo tidied >&2; exit 0' TERM; sleep 60 & wait");
    order.timeout = Some(Duration::from_millis(300));
    let execution = slot.run(&order).await;
    assert_eq!(
        (execution.ending, execution.last_line.as_str()),
        (Ending::TimedOut, "tidied")
    );
}

#[tokio::test]
async fn a_cancelled_command_ends_and_the_runner_goes_on() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let marker = marker();
        let order = slot.sh(&format!("echo up > $PFS/out/up; sleep {marker}"));
        let (cancel, up) = (CancellationToken::new(), slot.runner.out().join("up"));
        let cancelling = async {
            until("the command runs", || up.exists()).await;
            cancel.cancel();
        };
        let (execution, ()) = tokio::join!(slot.runner.run(&order, &cancel), cancelling);
        assert_eq!(execution.unwrap().ending, Ending::Cancelled, "{mode:?}");
        assert_eq!(alive(&marker), 0, "{mode:?}");
        let next = slot.command(&["true"]);
        assert_eq!(slot.run(&next).await.ending, Ending::Exited(0), "{mode:?}");
    }
}

#[tokio::test]
async fn a_signal_is_reported_by_its_number() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    for signal in [9, 11, 15] {
        let order = slot.sh(&format!("kill -{signal} $$"));
        assert_eq!(slot.run(&order).await.ending, Ending::Signaled(signal));
    }
}

#[tokio::test]
async fn dropping_the_runner_kills_all_it_runs() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let marker = marker();
        let order = slot.sh(&format!(
            "trap '' TERM; setsid sleep {marker} & sleep {marker}; sleep {marker}"
        ));
        {
            let never = CancellationToken::new();
            let running = slot.runner.run(&order, &never);
            tokio::pin!(running);
            tokio::select! {
                _ = &mut running => panic!("it does not end by itself"),
                () = until("the command runs", || alive(&marker) == 2) => {}
            }
        }
        let next = slot.command(&["true"]);
        let refused = slot.runner.run(&next, &CancellationToken::new()).await;
        assert!(matches!(refused, Err(RunnerError::Busy)), "{mode:?}");
        let Slot { runner, folder } = slot;
        drop(runner);
        until("all are dead", || alive(&marker) == 0).await;
        until("scratch is gone", || {
            !folder.path().join("scratch").exists()
        })
        .await;
    }
}

#[tokio::test]
async fn killing_either_process_of_a_runner_leaves_nothing_running() {
    for mode in MODES {
        for victim in ["guard", "supervise", "serve"] {
            let mut slot = Slot::with(mode).await;
            let marker = marker();
            let order = slot.sh(&format!(
                "trap '' TERM; setsid sleep {marker} & sleep {marker}; sleep {marker}"
            ));
            let scratch = slot.folder.path().join("scratch");
            let never = CancellationToken::new();
            let killing = async {
                until("the command runs", || alive(&marker) == 2).await;
                kill(
                    Pid::from_raw(process_of(victim, scratch.to_str().unwrap())),
                    Signal::SIGKILL,
                )
                .unwrap();
            };
            if victim == "serve" {
                let (ended, ()) = tokio::join!(slot.runner.run(&order, &never), killing);
                assert!(
                    matches!(ended, Err(RunnerError::Died { .. })),
                    "{mode:?} {ended:?}"
                );
                assert_eq!(alive(&marker), 0, "{mode:?}: dead before the error is told");
            } else {
                tokio::select! { _ = slot.runner.run(&order, &never) => {} () = killing => {} }
                drop(slot.runner);
                until("all are dead", || alive(&marker) == 0).await;
            }
        }
    }
}

#[tokio::test]
async fn killing_supervisor_server_and_spawner_together_leaves_nothing_running() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let marker = marker();
        let order = slot.sh(&format!("setsid sleep {marker} & sleep {marker}"));
        let scratch = slot.folder.path().join("scratch");
        let never = CancellationToken::new();
        let killing = async {
            until("the command runs", || alive(&marker) == 2).await;
            let [supervisor, server] =
                ["supervise", "serve"].map(|role| process_of(role, scratch.to_str().unwrap()));
            let victims = [supervisor, server, child_of(server)];
            for victim in victims {
                // The end of the server, an init, may be that of the spawner.
                let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
            }
        };
        let (ended, ()) = tokio::join!(slot.runner.run(&order, &never), killing);
        assert!(
            matches!(ended, Err(RunnerError::Died { .. })),
            "{mode:?} {ended:?}"
        );
        assert_eq!(alive(&marker), 0, "{mode:?}: dead before the error is told");
        assert!(!scratch.exists(), "{mode:?}: scratch is gone, too");
    }
}

/// The first child of a process.
fn child_of(parent: i32) -> i32 {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap();
    children.split(' ').next().unwrap().parse().unwrap()
}

/// The process of a runner that has `role` and `scratch` on its command line.
fn process_of(role: &str, scratch: &str) -> i32 {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let matches = |line: Vec<u8>| {
        let words: Vec<_> = line.split(|&byte| byte == 0).collect();
        words.get(2) == Some(&role.as_bytes()) && words.contains(&scratch.as_bytes())
    };
    let mut found =
        processes.filter(|entry| fs::read(entry.path().join("cmdline")).is_ok_and(matches));
    found
        .next()
        .unwrap()
        .file_name()
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn commands_cannot_end_their_runner() {
    let mut slot = Slot::with(SandboxMode::Namespaces).await;
    let order = slot.sh("kill -9 1; kill -STOP 1; kill -TERM 1; exit 4");
    assert_eq!(slot.run(&order).await.ending, Ending::Exited(4));
}

#[tokio::test]
async fn an_unusable_program_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = crate::slot::settings(folder.path(), SandboxMode::Auto);
    settings.program = "/no/such/program".into();
    let error = Runner::start(&settings).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "runner process cannot be started from /no/such/program"
    );
}
