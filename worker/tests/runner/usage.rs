//! Resources that a command used.

use std::time::Duration;

use drover_worker::runner::SandboxMode;
use nix::unistd::geteuid;

use crate::slot::Slot;

const MB: u64 = 1 << 20;

/// A program that holds `megabytes` for a moment: `tail` keeps a line without an end in memory.
fn hog(megabytes: u64) -> String {
    format!("head -c {megabytes}M /dev/zero | tail -n 1 | wc -c >/dev/null")
}

#[tokio::test]
async fn the_memory_of_each_command_is_its_own() {
    for mode in [SandboxMode::Auto, SandboxMode::None] {
        let mut slot = Slot::with(mode).await;
        let order = slot.sh(&hog(80));
        let large = slot.run(&order).await.cost;
        let order = slot.sh("exit 0");
        let small = slot.run(&order).await.cost;
        let memory = |cost: drover_worker::runner::CommandCost| {
            cost.ended
                .unwrap()
                .memory
                .max(cost.group_memory.unwrap_or(0))
        };
        assert!(memory(large) >= 80 * MB, "{mode:?}: {large:?}");
        assert!(memory(large) < 200 * MB, "{mode:?}: {large:?}");
        assert!(memory(small) < 40 * MB, "{mode:?}: {small:?}");
    }
}

#[tokio::test]
async fn a_group_counts_all_processes_together() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let order = slot.sh(&format!("({}) & ({}) & wait", hold(60), hold(60)));
    let cost = slot.run(&order).await.cost;
    let Some(memory) = cost.group_memory else {
        assert!(!geteuid().is_root(), "root can make groups here");
        return;
    };
    assert!((120 * MB..240 * MB).contains(&memory), "{cost:?}");
}

/// A program that holds `megabytes` for half a second.
fn hold(megabytes: u64) -> String {
    format!("(head -c {megabytes}M /dev/zero; sleep 0.5) | tail -n 1 | wc -c >/dev/null")
}

#[tokio::test]
async fn cpu_time_and_bytes_are_those_of_all_processes() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
    let order = slot.sh(&format!("({busy}) & ({busy}) & wait; sleep 0.1"));
    let ended = slot.run(&order).await.cost.ended.unwrap();
    assert!(ended.cpu_time > Duration::from_millis(10), "{ended:?}");
    let order = slot.sh("sleep 0.1");
    let ended = slot.run(&order).await.cost.ended.unwrap();
    assert!(ended.cpu_time < Duration::from_millis(80), "{ended:?}");
}
