//! Output is logged, within bounds, whatever its volume.

use std::fs;
use std::path::Path;
use std::process::Command;

use drover_worker::runner::{Ending, Runner, SandboxMode};
use tokio_util::sync::CancellationToken;

use crate::slot::{Slot, settings};

#[tokio::test]
async fn a_silent_command_has_no_log() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let order = slot.command(&["true"]);
    assert_eq!(slot.run(&order).await.log_bytes, 0);
    assert!(!slot.log().exists());
}

#[tokio::test]
async fn both_streams_are_logged_with_time_and_name_and_any_bytes() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let order = slot.sh("echo out; echo err >&2; printf '\\377\\n'; printf partial");
    let execution = slot.run(&order).await;
    let log = fs::read(slot.log()).unwrap();
    assert_eq!(log.len() as u64, execution.log_bytes);
    assert!(
        log.windows(2).any(|pair| pair == b"\xff\n"),
        "bytes are kept"
    );
    let first = String::from_utf8_lossy(&log);
    let (time, _) = first.split_once(' ').unwrap();
    assert!(
        time.parse::<jiff::Timestamp>().is_ok()
            && time.len() == "2026-11-23T18:31:55.123456Z".len(),
        "{time}"
    );
    assert!(
        slot.logged().contains("stderr F err\n") && slot.logged().contains("stdout P partial\n")
    );
    assert_eq!(execution.last_line, "err");
}

#[tokio::test]
async fn a_log_beyond_its_limit_keeps_its_beginning_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), SandboxMode::Auto);
    settings.log_limit = 1_000_000;
    let mut slot = Slot {
        runner: Runner::start(&settings).await.unwrap(),
        folder,
    };
    let order = slot.sh("seq 1 1000000");
    let execution = slot.run(&order).await;
    let logged = slot.logged();
    assert!(
        execution.log_bytes < 1_000_200 && execution.log_bytes > 700_000,
        "{}",
        execution.log_bytes
    );
    assert!(
        logged.starts_with("stdout F 1\nstdout F 2\n") && logged.ends_with("stdout F 1000000\n")
    );
    assert!(logged.contains("bytes of log dropped here, to keep it within 1000000 bytes]"));
    assert_eq!(execution.last_line, "1000000");
    assert_eq!(execution.log_trouble, None);
}

#[tokio::test]
async fn a_full_disk_does_not_stop_the_command_and_the_log_says_so() {
    let full = Path::new("/dev/full");
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let mut order = slot.sh("seq 1 100000; echo last >&2; exit 7");
    order.log = full.to_owned();
    let execution = slot.run(&order).await;
    assert_eq!(
        (execution.ending, execution.last_line.as_str()),
        (Ending::Exited(7), "last")
    );
    assert!(execution.log_trouble.unwrap().contains("No space left"));
}

#[tokio::test]
async fn a_disk_that_fills_up_keeps_what_fitted_and_tells_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("small");
    fs::create_dir(&small).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"])
        .arg(&small)
        .status()
        .unwrap();
    if !mounted.success() {
        return assert!(
            !nix::unistd::geteuid().is_root(),
            "root can mount a small disk"
        );
    }
    let mut slot = Slot {
        runner: Runner::start(&settings(folder.path(), SandboxMode::Auto))
            .await
            .unwrap(),
        folder,
    };
    let mut order = slot.sh("seq 1 100000");
    order.log = small.join("log");
    let execution = slot.run(&order).await;
    let log = fs::read_to_string(&order.log).unwrap();
    slot.runner.end().await;
    assert!(
        Command::new("umount")
            .arg(&small)
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(execution.ending, Ending::Exited(0));
    assert_eq!(execution.log_bytes, log.len() as u64);
    let is_remark = |line: &str| line.contains("bytes of log lost here: No space left on device");
    assert!(log.lines().any(is_remark), "{log:.0}");
    // A remark stands where records are missing: at the end, unless the last records of the command fitted again.
    let last = log.lines().last().unwrap();
    assert!(is_remark(last) || last.ends_with(" 100000"), "{last}");
    assert!(
        log.lines().all(|line| line.split(' ').count() >= 4),
        "no record is cut"
    );
}

#[tokio::test]
async fn much_output_does_not_take_much_memory() {
    let mut slot = Slot::with(SandboxMode::Namespaces).await;
    let mut order = slot.sh("head -c 300000000 /dev/zero; grep VmHWM /proc/1/status >&2");
    order.log = "/dev/null".into();
    let execution = slot.run(&order).await;
    let peak: u64 = execution
        .last_line
        .split_whitespace()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    assert!(
        peak > 0 && peak < 40_000,
        "runner used {}",
        execution.last_line
    );
    let _ = slot
        .runner
        .run(&slot_true(&slot), &CancellationToken::new())
        .await;
}

fn slot_true(slot: &Slot) -> drover_worker::runner::Order {
    slot.command(&["true"])
}
