//! Cost of a datum without its command; run by hand: `cargo test --release -p drover-worker --test runner cost --
//! --nocapture`.

use std::process::Command;
use std::time::Instant;

use drover_worker::runner::{Inputs, MountKind, SandboxMode};
use nix::sys::resource::{UsageWho, getrusage};

use crate::slot::{Slot, input};

fn cpu_us(who: UsageWho) -> i64 {
    let usage = getrusage(who).unwrap();
    let us = |time: nix::sys::time::TimeVal| time.tv_sec() * 1_000_000 + time.tv_usec();
    us(usage.user_time()) + us(usage.system_time())
}

#[tokio::test]
async fn cost_of_a_datum_over_a_bare_spawn_is_printed() {
    const ROUNDS: u32 = 300;
    let (begun, before) = (
        Instant::now(),
        cpu_us(UsageWho::RUSAGE_CHILDREN) + cpu_us(UsageWho::RUSAGE_SELF),
    );
    for _ in 0..ROUNDS {
        assert!(Command::new("/bin/true").status().unwrap().success());
    }
    let bare = cpu_us(UsageWho::RUSAGE_CHILDREN) + cpu_us(UsageWho::RUSAGE_SELF) - before;
    let bare_wall = begun.elapsed();
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let source = slot.file("in/f", "x");
    let mut order = slot.command(&["/bin/true"]);
    order.inputs = Inputs::Fresh(vec![input(&source, "in/f", MountKind::File)]);
    let (begun, before) = (Instant::now(), cpu_us(UsageWho::RUSAGE_SELF));
    for _ in 0..ROUNDS {
        slot.run(&order).await;
    }
    let (own, wall) = (cpu_us(UsageWho::RUSAGE_SELF) - before, begun.elapsed());
    let before = cpu_us(UsageWho::RUSAGE_CHILDREN);
    slot.runner.end().await;
    let runner = cpu_us(UsageWho::RUSAGE_CHILDREN) - before;
    let each = |us: i64| us / i64::from(ROUNDS);
    eprintln!(
        "bare: {} us CPU, {:?} wall; runner: {} us CPU + worker {} us, {:?} wall",
        each(bare),
        bare_wall / ROUNDS,
        each(runner),
        each(own),
        wall / ROUNDS
    );
}
