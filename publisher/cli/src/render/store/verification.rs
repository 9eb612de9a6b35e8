//! The result of `drover verify`.

use drover_core::catalog::Verification;

use crate::render::Palette;
use crate::render::terminal::number::{bytes, count, counted};
use crate::render::terminal::text::printable;

/// Number of listed damaged files of a pipeline; JSON lists all.
const MAX_LISTED: usize = 50;

/// The stored outputs of a pipeline, and what is damaged.
pub fn verification(found: &Verification, colours: Palette) -> Vec<String> {
    let state = if found.damaged.is_empty() {
        colours.good("whole")
    } else {
        colours.bad("damaged")
    };
    let mut lines = vec![format!(
        "{} {state}: {} of {}, {} read",
        colours.bold(&found.pipeline),
        counted(found.files, "file"),
        counted(found.datums, "datum"),
        bytes(found.bytes),
    )];
    if found.unhashed > 0 {
        lines.push(format!(
            "  {} without a recorded hash: only the size was compared",
            counted(found.unhashed, "file")
        ));
    }
    for damaged in found.damaged.iter().take(MAX_LISTED) {
        lines.push(format!(
            "  {}: {} (datum {} of job {})",
            printable(&damaged.path),
            damaged.problem,
            damaged.index,
            damaged.job.short()
        ));
    }
    let more = found.damaged.len().saturating_sub(MAX_LISTED) as u64;
    if more > 0 {
        lines.push(format!("  {} more; --output json lists all", count(more)));
    }
    if found.redo > 0 {
        lines.push(format!(
            "  {} would be done anew: the next run notices, or forget them with `drover redo {}`",
            counted(found.redo, "datum"),
            found.pipeline
        ));
    }
    lines
}
