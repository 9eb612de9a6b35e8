//! Limits of the datums that may be under way.

use std::num::NonZeroU32;

use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::{Limit, spec};

/// The most limits of a pipeline.
const MOST: usize = 16;

/// Checks the limits; the refused ones are left out.
pub(super) fn limits(limits: &[spec::Limit], report: &mut FindingCollector<'_>) -> Vec<Limit> {
    let path = Path::root().field("limits");
    if limits.len() > MOST {
        report.error(&path, "holds more than 16 limits", "keep the smallest ones");
    }
    let each = limits.iter().enumerate();
    each.filter_map(|(index, limit)| resolve(limit, &path.index(index), report))
        .collect()
}

fn resolve(limit: &spec::Limit, path: &Path, report: &mut FindingCollector<'_>) -> Option<Limit> {
    // The schema refuses 0.
    let running = limit
        .running
        .map(|most| NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN));
    let running = running.map(Limit::Running);
    let rate = limit.rate.map(Limit::Rate);
    let named = match limit.r#use.as_deref().map(str::parse) {
        Some(Ok(name)) => Some(Limit::Named(name)),
        Some(Err(error)) => {
            let message = format!("{:?} is not the name of a limit", error.text);
            report.error(&path.field("use"), message, error.rule);
            return None;
        }
        None => None,
    };
    let mut given = running.into_iter().chain(rate).chain(named);
    match (given.next(), given.next()) {
        (Some(limit), None) => Some(limit),
        (None, _) if report.has_error_within(path) => None,
        (first, _) => {
            let message = match first {
                None => "limits nothing",
                Some(_) => "holds several limits",
            };
            let advice =
                "give each item one of `running`, `rate` and `use`, for example `{running: 20}`";
            report.error(path, message, advice);
            None
        }
    }
}
