//! Ticks of a clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::tree_context::TreeContext;
use super::{names, non_empty};
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::schedule::time_zone;
use crate::pipeline::{CronInput, PfsInput, Schedule, spec};

/// Resolves a cron input; `number` is the index of the leaf.
pub(super) fn cron(
    spec: &spec::Cron,
    number: u16,
    path: &Path,
    context: TreeContext<'_>,
    report: &mut FindingCollector<'_>,
) -> Option<CronInput> {
    let name = non_empty(spec.name.as_ref());
    match &name {
        Some(name) => names::check_input(name, "name", path, report),
        None => report.missing(&path.field("name"), "name the directory below `/pfs`"),
    }
    let written = non_empty(spec.spec.as_ref());
    if written.is_none() {
        let advice = "say when, for example `@every 1h` or `30 4 * * *`";
        report.missing(&path.field("spec"), advice);
    }
    let zone = zone_of(spec.tz.as_ref(), &path.field("tz"), report);
    let schedule = written.and_then(|text| schedule_of(&text, &path.field("spec"), report));
    if let (Some(schedule), Some(_)) = (&schedule, &spec.tz)
        && !schedule.has_fields()
    {
        let message = format!("is not used: `{}` has no cron fields", schedule.as_str());
        report.note(&path.field("tz"), message, "delete it");
    }
    let start = non_empty(spec.start.as_ref())
        .and_then(|start| start_of(&start, &path.field("start"), report));
    let by_default = || Some(format!("{}_{}", context.pipeline?, name.as_ref()?));
    let repo = non_empty(spec.repo.as_ref()).or_else(by_default)?;
    if let Some(problem) = names::repo_problem(&repo) {
        report.error(
            &path.field("repo"),
            format!("{repo:?} cannot be a repo"),
            problem,
        );
    }
    Some(CronInput {
        ticks: ticks(name?, repo, number)?,
        schedule: schedule?.in_zone(zone?),
        start,
        overwrite: spec.overwrite.unwrap_or_default(),
    })
}

/// Each tick a datum.
fn ticks(name: String, repo: String, leaf: u16) -> Option<PfsInput> {
    Some(PfsInput {
        leaf,
        name,
        repo,
        url: None,
        glob: "/*".parse().ok()?,
        join_on: None,
        outer_join: false,
        group_by: None,
        lazy: false,
        empty_files: false,
        files_only: false,
        exclude: Vec::new(),
    })
}

/// A schedule, or a finding.
fn schedule_of(text: &str, path: &Path, report: &mut FindingCollector<'_>) -> Option<Schedule> {
    match text.parse::<Schedule>() {
        Ok(schedule) if schedule.as_str() == Schedule::NEVER || schedule.ever_ticks() => {
            Some(schedule)
        }
        Ok(_) => {
            let advice = format!(
                "correct day and month, or write `{}` for a clock that a person ticks",
                Schedule::NEVER
            );
            report.error(
                path,
                format!("{text:?} names a date that never comes"),
                advice,
            );
            None
        }
        Err(advice) => {
            report.error(path, format!("{text:?} is not a schedule"), advice);
            None
        }
    }
}

/// UTC by default.
fn zone_of(
    name: Option<&String>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<TimeZone> {
    let Some(name) = non_empty(name) else {
        return Some(TimeZone::UTC);
    };
    let zone = time_zone(&name);
    if zone.is_none() {
        let advice = "write a name of the IANA database, for example `Europe/Berlin`";
        report.error(path, format!("{name:?} is not a time zone"), advice);
    }
    zone
}

fn start_of(text: &str, path: &Path, report: &mut FindingCollector<'_>) -> Option<Timestamp> {
    let start = text.parse().ok();
    if start.is_none() {
        let advice = "write it as in RFC 3339, for example `2026-01-01T00:00:00Z`";
        report.error(path, format!("{text:?} is not a time"), advice);
    }
    start
}
