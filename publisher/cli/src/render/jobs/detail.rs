//! One job as text: the summary at the end, and `drover job`.

use std::fmt::Write as _;

use drover_shared::job::{
    Counts, FailureGroup, FailureGroups, JobRecord, JobState, ResourceSummary,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::render::Palette;
use crate::render::jobs::advice::advice;
use crate::render::jobs::estimate::estimate;
use crate::render::terminal::number::{bytes, count, counted, length, moment, seconds};
use crate::render::terminal::text::{printable, shell_word};

/// Number of listed groups of failures; the others are summed up.
const MAX_GROUPS: usize = 10;

/// Context of a summary: the store, the output and the time.
#[derive(Clone, Copy, Debug)]
pub struct SummaryContext<'a> {
    /// The store as typed; none for the default store.
    pub store: Option<&'a str>,
    /// Folder of the pipeline's output.
    pub output: &'a str,
    /// The current time.
    pub now: Timestamp,
}

impl SummaryContext<'_> {
    /// A command about the job, for copying.
    fn command(&self, verb_and_arguments: &str) -> String {
        match self.store {
            Some(store) => format!("drover {verb_and_arguments} --store {}", shell_word(store)),
            None => format!("drover {verb_and_arguments}"),
        }
    }
}

/// Summary of an ended job for `run`, `wait` and `retry`.
pub fn summary(
    record: &JobRecord,
    failures: &FailureGroups,
    context: SummaryContext<'_>,
    colours: Palette,
) -> Vec<String> {
    let mut lines = vec![
        headline(record, context.now, colours),
        format!("  {}", counts(&record.datums)),
    ];
    if record.datums.processed + record.datums.failed + record.datums.recovered > 0 {
        lines.push(format!("  {}", stats(record)));
    }
    if record.state == JobState::Success {
        lines.push(format!("  output: {}", output(record, context)));
    }
    lines.extend(failed(record, failures, context, colours));
    lines.extend(record.first.iter().flat_map(estimate));
    if record.state == JobState::Failure {
        lines.extend(unpublished(record, context));
    }
    if record.state == JobState::Killed {
        lines.push(String::new());
        lines.push("finished datums stay finished: the next run continues from there".to_owned());
    }
    lines
}

/// A failed job changes no output; how to publish the successful datums all the same.
fn unpublished(record: &JobRecord, context: SummaryContext<'_>) -> Vec<String> {
    let place = printable(context.output);
    let mut lines = vec![
        String::new(),
        format!("nothing was published: {place} is unchanged"),
    ];
    if record.datums.failed > 0 {
        lines.push(
            "publish without them: run again with --on-error true (in a spec: transform.err_cmd: [\"true\"])"
                .to_owned(),
        );
    }
    lines
}

/// Output of `drover job`.
pub fn details(
    record: &JobRecord,
    failures: &FailureGroups,
    context: SummaryContext<'_>,
    zone: &TimeZone,
    colours: Palette,
) -> Vec<String> {
    let at =
        |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| moment(time, zone));
    let mut lines = vec![
        headline(record, context.now, colours),
        format!("  job:       {}", record.id),
        format!("  pipeline:  {}", record.pipeline),
        format!("  created:   {}", moment(record.created, zone)),
        format!("  started:   {}", at(record.started)),
        format!("  finished:  {}", at(record.finished)),
        format!("  datums:    {}", counts(&record.datums)),
        format!("  work:      {}", stats(record)),
    ];
    lines.extend(
        record
            .usage
            .iter()
            .map(|usage| format!("  memory:    {}", memory(usage))),
    );
    if record.redelivered + record.duplicates > 0 {
        let times = |number| counted(number, "time");
        lines.push(format!(
            "  queue:     redelivered {}, reported twice {}",
            times(record.redelivered),
            times(record.duplicates)
        ));
    }
    lines.push(format!("  output:    {}", printable(context.output)));
    lines.extend(failed(record, failures, context, colours));
    lines.extend(record.first.iter().flat_map(estimate));
    lines
}

/// `thumbs 01j9… success in 3.2s`, with the reason of a failure.
fn headline(record: &JobRecord, now: Timestamp, colours: Palette) -> String {
    let time = running_time(record, now);
    let reason = record
        .reason
        .as_deref()
        .map(|reason| format!(": {}", printable(reason)));
    format!(
        "{} {} {} {} {time}{}",
        colours.bold(&record.pipeline),
        record.id.short(),
        state(record.state, colours),
        if record.state.is_final() {
            "after"
        } else {
            "for"
        },
        reason.unwrap_or_default()
    )
}

/// The state as a coloured word.
pub fn state(state: JobState, colours: Palette) -> String {
    match state {
        JobState::Starting => colours.busy("starting"),
        JobState::Running => colours.busy("running"),
        JobState::Publishing => colours.busy("publishing"),
        JobState::Egressing => colours.busy("egressing"),
        JobState::Success => colours.good("success"),
        JobState::Failure => colours.bad("failure"),
        JobState::Killed => colours.warning("killed"),
    }
}

/// Duration of a job so far; unknown for a job whose process was killed.
pub(crate) fn running_time(record: &JobRecord, now: Timestamp) -> String {
    let end = match record.finished {
        None if record.state.is_final() => return "unknown time".to_owned(),
        finished => finished.unwrap_or(now),
    };
    length(end.duration_since(record.started.unwrap_or(record.created)))
}

/// `120 datums: 100 processed, 17 skipped, 3 failed`.
fn counts(datums: &Counts) -> String {
    let named = [
        (datums.processed, "processed"),
        (datums.skipped, "skipped"),
        (datums.failed, "failed"),
        (datums.recovered, "recovered"),
        (datums.outstanding(), "not done"),
    ];
    let parts: Vec<String> = named
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", count(number)))
        .collect();
    match parts.as_slice() {
        [] => counted(datums.total, "datum"),
        parts => format!("{}: {}", counted(datums.total, "datum"), parts.join(", ")),
    }
}

/// `read 1.20 MB, wrote 300 kB; commands ran 5.1s`.
fn stats(record: &JobRecord) -> String {
    let stats = &record.stats;
    let mut work = format!(
        "read {}, wrote {}; commands ran {}",
        bytes(stats.download_bytes),
        bytes(stats.upload_bytes),
        seconds(stats.process_time_s)
    );
    if stats.wasted_time_s > 0.0 {
        let wasted = seconds(stats.wasted_time_s);
        let _ = write!(work, "; {wasted} were lost with workers that had to leave");
    }
    work
}

/// `median 41.2 MB, 95 % 60.1 MB, most 3.02 GB (datum 17); CPU 12.0s`.
fn memory(usage: &ResourceSummary) -> String {
    format!(
        "median {}, 95 % {}, most {} (datum {}); CPU {}",
        bytes(usage.memory_median_bytes),
        bytes(usage.memory_p95_bytes),
        bytes(usage.memory_max_bytes),
        usage.memory_max_datum,
        seconds(usage.cpu_time_s)
    )
}

/// Folder of the output, and a hint if the output is empty.
fn output(record: &JobRecord, context: SummaryContext<'_>) -> String {
    let place = printable(context.output);
    let all_is_new = record.datums.processed > 0 && record.datums.skipped == 0;
    if all_is_new && record.stats.upload_bytes == 0 {
        let command = context.command(&format!("logs {}", record.id.short()));
        return format!("no bytes in {place}; output of the commands: {command}");
    }
    place
}

/// The failures by cause, with follow-up commands.
fn failed(
    record: &JobRecord,
    failures: &FailureGroups,
    context: SummaryContext<'_>,
    colours: Palette,
) -> Vec<String> {
    let groups = failures.by_count();
    let Some(first) = groups.first() else {
        return Vec::new();
    };
    let mut lines = vec![String::new(), colours.bold("failed, by cause:")];
    lines.extend(
        groups
            .iter()
            .take(MAX_GROUPS)
            .map(|group| cause(group, groups.len() > 1, colours)),
    );
    let told: u64 = groups
        .iter()
        .take(MAX_GROUPS)
        .map(|group| group.count)
        .sum();
    let unlisted = failures.count() - told;
    if unlisted > 0 {
        lines.push(format!("{:>7}  with other causes", count(unlisted)));
    }
    lines.push(String::new());
    lines.extend(advice(first).map(|advice| format!("advice:             {advice}")));
    if let Some(sample) = first.samples.first() {
        let command = context.command(&format!("logs {} --datum {sample}", record.id.short()));
        lines.push(format!("show their output:  {command}"));
    }
    if record.datums.failed > 0 {
        lines.push(format!(
            "run them again:     {}",
            context.command(&format!("retry {}", record.id.short()))
        ));
    }
    if record.datums.failed > 0 && groups.len() > 1 {
        let retry = format!("retry {} --group {}", record.id.short(), first.key());
        lines.push(format!("only one cause:     {}", context.command(&retry)));
    }
    lines
}

/// `     12  exit 1: 'no such column'  (datums 3, 17, 40 …)`, with the key where there are several to choose from.
fn cause(group: &FailureGroup, with_key: bool, colours: Palette) -> String {
    let mut samples = group.samples.clone();
    samples.sort_unstable();
    let named: Vec<String> = samples.iter().map(u64::to_string).collect();
    let more = if group.count > samples.len() as u64 {
        " …"
    } else {
        ""
    };
    let noun = if group.count == 1 { "datum" } else { "datums" };
    let key = if with_key {
        format!("; group {}", group.key())
    } else {
        String::new()
    };
    let samples = colours.dim(format!("({noun} {}{more}{key})", named.join(", ")));
    let text = printable(&group.to_string());
    format!("{:>7}  {text}  {samples}", count(group.count))
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::Cause;

    use super::*;
    use crate::render::testing::samples;

    const NOW: &str = "2026-11-23T18:10:00Z";

    fn context(store: Option<&str>) -> SummaryContext<'_> {
        SummaryContext {
            store,
            output: "count/",
            now: NOW.parse().unwrap(),
        }
    }

    fn failures() -> FailureGroups {
        let mut groups = FailureGroups::default();
        for index in [3, 17, 40, 41] {
            let last_line = format!("row {index}: no such column");
            groups.add(index, &Cause::Exit { code: 1, last_line });
        }
        let last_line = "\u{1b}[31mred\u{1b}[0m".to_owned();
        groups.add(
            99,
            &Cause::Signal {
                signal: 9,
                last_line,
            },
        );
        groups
    }

    #[test]
    fn a_job_that_succeeded_is_told_in_three_lines() {
        let record = samples::succeeded();
        let lines = summary(
            &record,
            &FailureGroups::default(),
            context(None),
            Palette::plain(),
        );
        insta::assert_snapshot!(lines.join("\n"), @"
        count zzzzzzzz success after 1m 30s
          1,232 datums: 1,200 processed, 30 skipped, 2 recovered
          read 1.23 MB, wrote 820 B; commands ran 4m 05s
          output: count/
        ");
    }

    #[test]
    fn a_job_that_failed_tells_causes_and_the_way_on() {
        let lines = summary(
            &samples::failed(),
            &failures(),
            context(Some("my store")),
            Palette::plain(),
        );
        insta::assert_snapshot!(lines.join("\n"), @r#"
        count zzzzzzzz failure after 1m 30s: 5 of 1237 datums failed: exit 1: 'row #: no such column' (4), signal 9 (1)
          1,237 datums: 1,200 processed, 30 skipped, 5 failed, 2 recovered
          read 1.23 MB, wrote 820 B; commands ran 4m 05s

        failed, by cause:
              4  exit 1: 'row 3: no such column'  (datums 3, 17, 40 …; group b7decab6b12e9569)
              1  signal 9: '\u{1b}[31mred\u{1b}[0m'  (datum 99; group 597318338c0e06a3)

        show their output:  drover logs zzzzzzzz --datum 3 --store 'my store'
        run them again:     drover retry zzzzzzzz --store 'my store'
        only one cause:     drover retry zzzzzzzz --group b7decab6b12e9569 --store 'my store'

        nothing was published: count/ is unchanged
        publish without them: run again with --on-error true (in a spec: transform.err_cmd: ["true"])
        "#);
    }

    #[test]
    fn a_killed_job_tells_that_nothing_is_lost() {
        let mut record = samples::failed();
        record.state = JobState::Killed;
        record.reason = Some("stopped by SIGINT".to_owned());
        record.datums.failed = 0;
        let lines = summary(
            &record,
            &FailureGroups::default(),
            context(None),
            Palette::plain(),
        );
        insta::assert_snapshot!(lines.join("\n"), @"
        count zzzzzzzz killed after 1m 30s: stopped by SIGINT
          1,237 datums: 1,200 processed, 30 skipped, 2 recovered, 5 not done
          read 1.23 MB, wrote 820 B; commands ran 4m 05s

        finished datums stay finished: the next run continues from there
        ");
    }

    #[test]
    fn a_job_that_was_cut_off_does_not_seem_to_go_on() {
        let mut record = samples::running();
        record.state = JobState::Killed;
        assert_eq!(running_time(&record, NOW.parse().unwrap()), "unknown time");
    }

    #[test]
    fn the_details_of_a_running_job() {
        let lines = details(
            &samples::running(),
            &FailureGroups::default(),
            context(None),
            &TimeZone::UTC,
            Palette::plain(),
        );
        insta::assert_snapshot!(lines.join("\n"), @r"
        count zzzzzzzz running for 1m 59s
          job:       01j9zzzzzzzzzzzzzzzzzzzzzz
          pipeline:  count
          created:   2026-11-23 18:08:00
          started:   2026-11-23 18:08:00
          finished:  -
          datums:    5,000 datums: 1,200 processed, 30 skipped, 2 recovered, 3,768 not done
          work:      read 1.23 MB, wrote 820 B; commands ran 4m 05s
          queue:     redelivered 1 time, reported twice 0 times
          output:    count/
        ");
    }
}
