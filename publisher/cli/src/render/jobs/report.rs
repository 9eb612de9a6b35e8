//! `drover report`: a job as a self-contained HTML file.

use std::fmt::Write;

use drover_shared::job::{FailureGroups, JobRecord, JobState};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::render::jobs::detail::running_time;
use crate::render::terminal::number::{bytes, count, counted, moment, seconds};

/// Maximum size of the spec in the report, in characters, each of which takes six bytes at most.
const MAX_SPEC: usize = 50_000;
/// Maximum size of a log in the report, in characters.
const MAX_LOG: usize = 4_000;
/// Maximum number of logs in the report.
const MAX_LOGS: usize = 20;
/// Height of the chart in pixels.
const CHART_HEIGHT: u64 = 80;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem 1rem .15rem 0;vertical-align:top}\
pre{overflow:auto;padding:.6rem;border:1px solid #8886;border-radius:.4rem;font-size:13px}\
.success{color:light-dark(#0a6b2d,#63d68b)}.failure{color:light-dark(#b3261e,#ff8f86)}.killed{color:light-dark(#8a5a00,#f0b64d)}\
rect{fill:light-dark(#3166c2,#8db4ff)}small{opacity:.75}";

/// The contents of a report.
#[derive(Debug)]
pub struct JobReport<'a> {
    /// The record of the job.
    pub record: &'a JobRecord,
    /// Failures by cause.
    pub failures: &'a FailureGroups,
    /// The last lines of a failed datum of each group, in the order of [`FailureGroups::by_count`].
    pub logs: &'a [String],
    /// Ended datums in equal parts of the job's time.
    pub throughput: &'a [u64],
    /// The normalised spec as YAML.
    pub spec: &'a str,
    /// URL of the store.
    pub store: &'a str,
    /// The current time.
    pub now: Timestamp,
}

/// The report as HTML, below 1 MB.
pub fn report(job: &JobReport<'_>) -> String {
    let record = job.record;
    let state = record.state.to_string();
    let title = format!("{} {}", record.pipeline, record.id);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style>\n\
         <h1>{} <span class=\"{state}\">{state}</span></h1>\n",
        record.pipeline
    );
    html.push_str(&facts(job));
    html.push_str(&chart(job.throughput));
    html.push_str(&causes(job));
    let spec: String = job.spec.chars().take(MAX_SPEC).collect();
    let _ = write!(html, "<h2>Spec</h2>\n<pre>{}</pre>\n", escaped(&spec));
    let written = moment(job.now, &TimeZone::UTC);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(
        html,
        "<p><small>Written by Drover {version} at {written} UTC.</small></p></html>"
    );
    html
}

fn facts(job: &JobReport<'_>) -> String {
    let record = job.record;
    let at = |time: Option<Timestamp>| {
        time.map_or_else(
            || "-".to_owned(),
            |time| format!("{} UTC", moment(time, &TimeZone::UTC)),
        )
    };
    let datums = &record.datums;
    let mut rows = vec![
        ("Job", record.id.to_string()),
        ("Store", job.store.to_owned()),
        ("Created", at(Some(record.created))),
        ("Started", at(record.started)),
        ("Finished", at(record.finished)),
        ("Time", running_time(record, job.now)),
        (
            "Datums",
            format!(
                "{}: {} processed, {} skipped, {} failed, {} recovered, {} not done",
                counted(datums.total, "datum"),
                count(datums.processed),
                count(datums.skipped),
                count(datums.failed),
                count(datums.recovered),
                count(datums.outstanding())
            ),
        ),
        (
            "Work",
            format!(
                "read {}, wrote {}; commands ran {}",
                bytes(record.stats.download_bytes),
                bytes(record.stats.upload_bytes),
                seconds(record.stats.process_time_s)
            ),
        ),
    ];
    rows.extend(record.reason.clone().map(|reason| ("Reason", reason)));
    if record.state == JobState::Failure {
        rows.push(("Output", "nothing was published".to_owned()));
    }
    let mut html = "<table>\n".to_owned();
    for (name, value) in rows {
        let _ = writeln!(html, "<tr><th>{name}<td>{}", escaped(&value));
    }
    html + "</table>\n"
}

/// Bars of ended datums over the job's time.
fn chart(throughput: &[u64]) -> String {
    let most = throughput.iter().copied().max().unwrap_or_default();
    if most == 0 {
        return String::new();
    }
    let mut html = format!(
        "<h2>Datums over time</h2>\n<svg viewBox=\"0 0 {} {CHART_HEIGHT}\" width=\"100%\" height=\"{CHART_HEIGHT}\" \
         preserveAspectRatio=\"none\" role=\"img\" aria-label=\"at most {} in a bar\">",
        throughput.len() * 4,
        counted(most, "datum")
    );
    for (at, ended) in throughput.iter().enumerate() {
        let height = (ended * CHART_HEIGHT).div_ceil(most);
        let (x, y) = (at * 4, CHART_HEIGHT - height);
        let _ = write!(
            html,
            "<rect x=\"{x}\" y=\"{y}\" width=\"3\" height=\"{height}\"/>"
        );
    }
    html + "</svg>\n"
}

fn causes(job: &JobReport<'_>) -> String {
    if job.failures.count() == 0 {
        return String::new();
    }
    let mut html = "<h2>Failures by cause</h2>\n".to_owned();
    for (at, group) in job.failures.by_count().into_iter().enumerate() {
        let samples: Vec<String> = group.samples.iter().map(u64::to_string).collect();
        let _ = writeln!(
            html,
            "<h3>{} × {}</h3>\n<p>Datums {}{}</p>",
            count(group.count),
            escaped(&group.to_string()),
            samples.join(", "),
            if group.count > group.samples.len() as u64 {
                " …"
            } else {
                ""
            }
        );
        if let Some(log) = job
            .logs
            .iter()
            .take(MAX_LOGS)
            .nth(at)
            .filter(|log| !log.is_empty())
        {
            let cut = log.chars().count().saturating_sub(MAX_LOG);
            let end: String = log.chars().skip(cut).collect();
            let _ = writeln!(html, "<pre>{}</pre>", escaped(&end));
        }
    }
    if job.failures.others > 0 {
        let _ = writeln!(
            html,
            "<p>{} with other causes.</p>",
            counted(job.failures.others, "failure")
        );
    }
    html
}

/// Text without markup; control characters are replaced.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for each in text.chars() {
        match each {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '\n' | '\t' => safe.push(each),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::Cause;

    use super::*;
    use crate::render::testing::samples;

    #[test]
    fn a_report_is_bounded_and_takes_nothing_for_markup() {
        let record = samples::failed();
        let mut failures = FailureGroups::default();
        let mut logs = Vec::new();
        for code in 0..200 {
            let last_line = "<script>\u{1b}[31m&".repeat(40);
            failures.add(7, &Cause::Exit { code, last_line });
            logs.push("<img src=x>\n".repeat(10_000));
        }
        let html = report(&JobReport {
            record: &record,
            failures: &failures,
            logs: &logs,
            throughput: &[0, 3, u64::from(u32::MAX)],
            spec: &"<b>".repeat(1_000_000),
            store: "file:///data",
            now: record.finished.unwrap(),
        });
        assert!(html.len() < 1_000_000, "{} bytes", html.len());
        for foreign in ["<script", "<img", "<b>", "\u{1b}", "http"] {
            assert!(!html.contains(foreign), "{foreign}");
        }
        assert!(html.contains("nothing was published"));
    }
}
