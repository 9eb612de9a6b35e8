//! Many datums without work: the rest is the overhead of Drover.

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::corpus::{drover_in, every_file, forget, shell_in, small_files};
use crate::measure::{Cost, median};
use crate::{Sizes, say};

const MARK: &str = "__spawn-loop";

/// Prints the figures of all that start `/bin/true` for each file, two at a time.
pub(crate) fn show(sizes: Sizes) {
    let workspace = small_files(sizes.datums);
    let spec = every_file(&workspace);
    say(&format!("\n{} times /bin/true, 2 at a time", sizes.datums));
    say(
        "                              wall s   CPU ms each   wall / xargs   CPU / xargs   peak MiB",
    );
    let nothing = || {};
    let xargs = median(
        sizes.repeats,
        nothing,
        &shell_in(
            &workspace,
            "find in -type f -print0 | xargs -0 -P2 -n1 /bin/true",
        ),
    );
    row("xargs -P2 -n1", sizes, xargs, xargs);
    if Command::new("parallel").arg("--version").output().is_ok() {
        let parallel = shell_in(
            &workspace,
            "find in -type f -print0 | parallel -0 -j2 /bin/true",
        );
        row(
            "GNU parallel -j2",
            sizes,
            median(1, nothing, &parallel),
            xargs,
        );
    } else {
        say("  GNU parallel                not installed");
    }
    row(
        "bare tokio spawn loop",
        sizes,
        median(sizes.repeats, nothing, &bare_loop(sizes.datums)),
        xargs,
    );
    let run = drover_in(
        &workspace,
        &["run", "--output", "json", "--workers", "2", &spec],
    );
    row(
        "drover run",
        sizes,
        median(sizes.repeats, || forget(&workspace), &run),
        xargs,
    );
    let again = drover_in(
        &workspace,
        &[
            "run",
            "--output",
            "json",
            "--workers",
            "2",
            "--reprocess",
            &spec,
        ],
    );
    row(
        "drover run --reprocess",
        sizes,
        median(sizes.repeats, nothing, &again),
        xargs,
    );
}

fn row(who: &str, sizes: Sizes, cost: Cost, floor: Cost) {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let each = cost.cpu * 1000.0 / sizes.datums as f64;
    say(&format!(
        "  {who:<26} {:>8.2} {each:>13.3} {:>14.2} {:>13.2} {:>10.1}",
        cost.wall,
        cost.wall / floor.wall,
        cost.cpu / floor.cpu,
        cost.peak
    ));
}

fn bare_loop(count: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its own path"));
    command.args([MARK, &count.to_string()]);
    command
}

/// Runs the bare spawn loop, if the process was started for the loop.
pub(crate) fn take_over() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let count: u64 = args.next()?.parse().ok()?;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(spawn_loop(count));
    Some(ExitCode::SUCCESS)
}

async fn spawn_loop(count: u64) {
    let next = AtomicU64::new(0);
    let one_after_another = || async {
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let status = tokio::process::Command::new("/bin/true").status().await;
            assert!(
                status.is_ok_and(|status| status.success()),
                "/bin/true failed"
            );
        }
    };
    tokio::join!(one_after_another(), one_after_another());
}
