//! Ticks of a clock.

use croner::parser::{CronParser, Seconds, Year};

use super::input::Around;
use super::{given, names};
use crate::pipeline::document::Path;
use crate::pipeline::report::Report;
use crate::pipeline::{CronInput, spec};

/// Schedules with a name.
const NAMED: [&str; 8] = [
    "@never",
    "@hourly",
    "@daily",
    "@midnight",
    "@weekly",
    "@monthly",
    "@yearly",
    "@annually",
];

/// What a cron input means; `number` counts the leaves of the tree.
pub(super) fn cron(
    spec: &spec::Cron,
    number: u16,
    path: &Path,
    around: Around<'_>,
    report: &mut Report<'_>,
) -> Option<CronInput> {
    let name = given(spec.name.as_ref());
    match &name {
        Some(name) => names::check_input(name, "name", path, report),
        None => report.missing(&path.field("name"), "name the directory below `/pfs`"),
    }
    let schedule = given(spec.spec.as_ref());
    match &schedule {
        Some(schedule) => check_schedule(schedule, &path.field("spec"), report),
        None => report.missing(
            &path.field("spec"),
            "say when, for example `@every 1h` or `30 4 * * *`",
        ),
    }
    let start = given(spec.start.as_ref());
    if let Some(start) = start
        .as_ref()
        .filter(|start| start.parse::<jiff::Timestamp>().is_err())
    {
        let advice = "write it as in RFC 3339, for example `2026-01-01T00:00:00Z`";
        report.error(
            &path.field("start"),
            format!("{start:?} is not a time"),
            advice,
        );
    }
    let by_default = || Some(format!("{}_{}", around.pipeline?, name.as_ref()?));
    let repo = given(spec.repo.as_ref()).or_else(by_default)?;
    if let Some(problem) = names::repo_problem(&repo) {
        report.error(
            &path.field("repo"),
            format!("{repo:?} cannot be a repo"),
            problem,
        );
    }
    Some(CronInput {
        leaf: number,
        name: name?,
        repo,
        spec: schedule?,
        start,
        overwrite: spec.overwrite.unwrap_or_default(),
    })
}

fn check_schedule(schedule: &str, path: &Path, report: &mut Report<'_>) {
    if let Err(advice) = schedule_problem(schedule) {
        report.error(path, format!("{schedule:?} is not a schedule"), advice);
    }
}

fn schedule_problem(schedule: &str) -> Result<(), String> {
    if let Some(every) = schedule.strip_prefix("@every ") {
        return match every.trim().parse::<spec::Duration>() {
            Ok(spec::Duration(every)) if every.is_zero() => {
                Err("it would tick without end".to_owned())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
    }
    if schedule.starts_with('@') {
        let known = NAMED.contains(&schedule);
        return known
            .then_some(())
            .ok_or_else(|| format!("one of: @every 90s, {}", NAMED.join(", ")));
    }
    let parser = CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build();
    parser.parse(schedule).map(drop).map_err(|error| {
        format!(
            "five fields (minute, hour, day, month, weekday), for example `30 4 * * *`: {error}"
        )
    })
}
