//! Ten times the datums should not take more memory, and work that is done should cost next to nothing.

use crate::corpus::{drover_in, every_file, small_files};
use crate::measure::{Cost, measure};
use crate::{Sizes, say};

/// Prints peak memory at a tenth and at all of the datums, and the cost of a run that skips them all.
pub(crate) fn show(sizes: Sizes) {
    say("\nmemory and skipping           wall s   peak MiB");
    let tenth = first_run(sizes.many / 10);
    row(&format!("run of {}", sizes.many / 10), tenth.0);
    let (all, skipped) = first_run(sizes.many);
    row(&format!("run of {}", sizes.many), all);
    row(&format!("rerun, {} skipped", sizes.many), skipped);
    say(&format!(
        "  peak at ten times the datums: {:.2} times",
        all.peak / tenth.0.peak
    ));
}

/// The costs of a first run and of a second.
fn first_run(count: u64) -> (Cost, Cost) {
    let workspace = small_files(count);
    let run = drover_in(
        &workspace,
        &[
            "run",
            "--output",
            "json",
            "--workers",
            "2",
            &every_file(&workspace),
        ],
    );
    (measure(&run), measure(&run))
}

fn row(what: &str, cost: Cost) {
    say(&format!(
        "  {what:<26} {:>8.2} {:>10.1}",
        cost.wall, cost.peak
    ));
}
