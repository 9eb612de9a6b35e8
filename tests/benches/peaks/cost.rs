//! The cost of the watch over the memory of commands, where there is least to watch.

use std::fs;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::corpus::{drover_in, every_file, small_files};
use crate::say;

/// Interval between two looks at the thread of the watch.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The name of the thread.
const WATCH: &str = "memory";

/// Prints the CPU time of the watch while datums of `/bin/true` run, beside all CPU time of the run. The latter is the sum of what
/// processes waited for, and so a little too low: the share is rather too high.
pub(super) fn show(datums: u64) {
    let workspace = small_files(datums);
    let spec = every_file(&workspace);
    let before = cpu_of_children();
    let mut command = drover_in(&workspace, &["run", &spec]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.spawn().expect("drover starts");
    let mut watch = 0.0_f64;
    let status = loop {
        watch = watch.max(cpu_of_thread(running.id()).unwrap_or(0.0));
        if let Some(status) = running.try_wait().expect("a child can be waited for") {
            break status;
        }
        sleep(LOOK_EVERY);
    };
    assert!(status.success(), "the job failed");
    let all = cpu_of_children() - before;
    say(&format!(
        "  watch over {datums} × /bin/true: {watch:.3} s of {all:.1} s CPU, {:.2} %",
        watch / all * 100.0
    ));
}

/// Seconds of CPU of the watch in the process.
fn cpu_of_thread(process: u32) -> Option<f64> {
    for thread in fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let thread = thread.ok()?.path();
        let name = fs::read_to_string(thread.join("comm")).unwrap_or_default();
        if name.trim_end() != WATCH {
            continue;
        }
        let times = fs::read_to_string(thread.join("schedstat")).ok()?;
        let nanoseconds: f64 = times.split(' ').next()?.parse().ok()?;
        return Some(nanoseconds / 1e9);
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn cpu_of_children() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage is always known");
    (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6
}
