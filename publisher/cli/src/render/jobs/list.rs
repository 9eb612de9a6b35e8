//! Lists as text: datums of a plan, datums of a job, jobs.

use drover_shared::datum::{Datum, DatumInput, DatumState, InputKind};
use drover_shared::job::JobRecord;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::render::jobs::detail::{running_time, state};
use crate::render::terminal::number::{bytes, count, counted, moment};
use crate::render::terminal::text::printable;
use crate::render::{Palette, Table};
use drover_core::catalog::PlanReason;

/// Maximum width of a reason in characters.
const MAX_REASON_WIDTH: usize = 60;

/// Table of a plan.
pub fn plan(with_reasons: bool) -> Table {
    if with_reasons {
        Table::new(&["INDEX>", "SIZE>", "INPUTS", "WHY"])
    } else {
        Table::new(&["INDEX>", "SIZE>", "INPUTS"])
    }
}

/// One datum of a plan, as a row of the table made by [`plan`].
pub fn planned(datum: &Datum, reason: Option<&PlanReason>) -> Vec<String> {
    let mut cells = vec![
        datum.index.to_string(),
        bytes(size(datum)),
        inputs(&datum.inputs),
    ];
    cells.extend(reason.map(|reason| printable(&reason.to_string())));
    cells
}

/// The last line of a plan, with the total.
pub fn plan_total(datums: u64, shown: u64, total_bytes: u64) -> String {
    let more = match datums - shown {
        0 => String::new(),
        more => format!(" ({} more; --limit 0 shows all)", count(more)),
    };
    format!(
        "{}, {} of input{more}",
        counted(datums, "datum"),
        bytes(total_bytes)
    )
}

/// Total size of a datum's inputs in bytes.
pub fn size(datum: &Datum) -> u64 {
    datum
        .inputs
        .iter()
        .map(|input| input.size)
        .fold(0, u64::saturating_add)
}

/// `photos:/a.jpg + labels:/a/`.
pub(crate) fn inputs(inputs: &[DatumInput]) -> String {
    let one = |input: &DatumInput| {
        let slash = if input.kind == InputKind::Dir && input.path != "/" {
            "/"
        } else {
            ""
        };
        let key = input.join_on.as_ref().or(input.group_by.as_ref());
        let key = key
            .map(|key| format!(" [{}]", printable(key)))
            .unwrap_or_default();
        format!(
            "{}:{}{slash}{key}",
            printable(&input.name),
            printable(&input.path)
        )
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(" + ")
}

/// Jobs, in the order given.
pub fn jobs(
    records: &[JobRecord],
    now: Timestamp,
    zone: &TimeZone,
    colours: Palette,
) -> Vec<String> {
    let mut table = Table::new(&[
        "JOB", "PIPELINE", "STATE", "CREATED", "TIME>", "DONE>", "REASON",
    ]);
    for record in records {
        table.row(vec![
            record.id.short(),
            record.pipeline.to_string(),
            state(record.state, colours),
            moment(record.created, zone),
            running_time(record, now),
            format!(
                "{}/{}",
                count(record.datums.ended()),
                count(record.datums.total)
            ),
            shortened(record.reason.as_deref().unwrap_or_default()),
        ]);
    }
    table.take_lines()
}

/// One row of `drover datums`.
#[derive(Clone, Debug)]
pub struct DatumRow<'a> {
    /// The datum.
    pub datum: &'a Datum,
    /// State of the datum.
    pub state: DatumState,
    /// Attempts so far.
    pub attempts: u32,
    /// The most memory of its commands, in bytes.
    pub memory: Option<u64>,
    /// Reason of the failure.
    pub reason: Option<&'a str>,
}

/// Table of datums.
pub fn datums() -> Table {
    Table::new(&[
        "INDEX>", "STATE", "TRIES>", "SIZE>", "MEMORY>", "INPUTS", "REASON",
    ])
}

/// One datum of a job, as a row of the table made by [`datums`].
pub fn datum(row: &DatumRow<'_>, colours: Palette) -> Vec<String> {
    vec![
        row.datum.index.to_string(),
        datum_state(row.state, colours),
        row.attempts.to_string(),
        bytes(size(row.datum)),
        row.memory.map_or_else(|| "-".to_owned(), bytes),
        inputs(&row.datum.inputs),
        shortened(row.reason.unwrap_or_default()),
    ]
}

fn datum_state(state: DatumState, colours: Palette) -> String {
    match state {
        DatumState::Queued => colours.dim("queued"),
        DatumState::Running => colours.busy("running"),
        DatumState::Retrying => colours.warning("retrying"),
        DatumState::Success => colours.good("success"),
        DatumState::Failed => colours.bad("failed"),
        DatumState::Recovered => colours.warning("recovered"),
        DatumState::Skipped => colours.dim("skipped"),
    }
}

fn shortened(text: &str) -> String {
    console::truncate_str(&printable(text), MAX_REASON_WIDTH, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::testing::samples;

    #[test]
    fn a_plan_is_a_table() {
        let mut table = plan(false);
        table.row(planned(&samples::datum(0), None));
        table.row(planned(&samples::datum(1234), None));
        let total = plan_total(3_000_000, 20, 4_500_000_000);
        insta::assert_snapshot!(format!("{}\n{total}", table.take_lines().join("\n")), @r#"
        INDEX     SIZE  INPUTS
            0  1.51 kB  photos:/a\nb.jpg + labels:/a/ [a]
         1234  1.51 kB  photos:/a\nb.jpg + labels:/a/ [a]
        3,000,000 datums, 4.50 GB of input (2,999,980 more; --limit 0 shows all)
        "#);
        assert_eq!(plan_total(1, 1, 5), "1 datum, 5 B of input");
    }

    #[test]
    fn datums_of_a_job_are_a_table() {
        let sample = samples::datum(17);
        let reason = "exit 1: ".to_owned() + &"very ".repeat(20) + "long";
        let row = DatumRow {
            datum: &sample,
            state: DatumState::Failed,
            attempts: 3,
            memory: Some(41_200_000),
            reason: Some(&reason),
        };
        let mut table = datums();
        table.row(datum(&row, Palette::plain()));
        insta::assert_snapshot!(table.take_lines().join("\n"), @r#"
        INDEX  STATE   TRIES     SIZE    MEMORY  INPUTS                             REASON
           17  failed      3  1.51 kB  41.20 MB  photos:/a\nb.jpg + labels:/a/ [a]  exit 1: very very very very very very very very very very v…
        "#);
    }

    #[test]
    fn jobs_are_a_table() {
        let now = "2026-11-23T18:10:00Z".parse().unwrap();
        let records = [samples::running(), samples::succeeded(), samples::failed()];
        let lines = jobs(&records, now, &TimeZone::UTC, Palette::plain());
        insta::assert_snapshot!(lines.join("\n"), @"
        JOB       PIPELINE  STATE    CREATED                TIME         DONE  REASON
        zzzzzzzz  count     running  2026-11-23 18:08:00  1m 59s  1,232/5,000
        zzzzzzzz  count     success  2026-11-23 18:08:00  1m 30s  1,232/1,232
        zzzzzzzz  count     failure  2026-11-23 18:08:00  1m 30s  1,237/1,237  5 of 1237 datums failed: exit 1: 'row #: no such column' (4…
        ");
    }
}
