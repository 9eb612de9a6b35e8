//! A plan over very many files, beside `find`.

use crate::corpus::{drover_in, every_file, shell_in, small_files};
use crate::measure::{Cost, measure};
use crate::{Sizes, say};

/// Prints files a second and peak memory.
pub(crate) fn show(sizes: Sizes) {
    let workspace = small_files(sizes.files);
    let spec = every_file(&workspace);
    say(&format!(
        "\na plan of {} small files      wall s      files/s   peak MiB",
        sizes.files
    ));
    row(
        "find -type f -size +0",
        sizes,
        measure(&shell_in(&workspace, "exec find in -type f -size +0")),
    );
    row(
        "cat of every file",
        sizes,
        measure(&shell_in(
            &workspace,
            "find in -type f -print0 | xargs -0 cat",
        )),
    );
    row(
        "drover plan",
        sizes,
        measure(&drover_in(&workspace, &["plan", "--output", "json", &spec])),
    );
    row(
        "drover plan, again",
        sizes,
        measure(&drover_in(&workspace, &["plan", "--output", "json", &spec])),
    );
}

fn row(who: &str, sizes: Sizes, cost: Cost) {
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let rate = sizes.files as f64 / cost.wall;
    say(&format!(
        "  {who:<26} {:>10.2} {rate:>12.0} {:>10.1}",
        cost.wall, cost.peak
    ));
}
