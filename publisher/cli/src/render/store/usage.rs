//! The result of `drover du`.

use drover_core::retention::{FileKind, JobUsage, Space};
use serde_json::{Value, json};

use crate::render::Table;
use crate::render::terminal::number::{bytes, count};

/// The columns of sizes, each with its kinds.
const COLUMNS: [(&str, &[FileKind]); 5] = [
    ("OUTPUTS>", &[FileKind::Outputs]),
    ("LOGS>", &[FileKind::Logs]),
    ("MANIFESTS>", &[FileKind::Manifests]),
    ("VERDICTS>", &[FileKind::Verdicts]),
    (
        "OTHER>",
        &[
            FileKind::Records,
            FileKind::DoneIndex,
            FileKind::HashCache,
            FileKind::Temporary,
        ],
    ),
];

/// A row for each pipeline, and a total.
pub fn usage_by_pipeline(usage: &[JobUsage]) -> Vec<String> {
    let mut table = table("PIPELINE", &["JOBS>"]);
    for pipeline in usage.chunk_by(|a, b| a.pipeline == b.pipeline) {
        let name = pipeline.first().and_then(|first| first.pipeline.as_ref());
        let name = name.map_or_else(|| "(no pipeline)".to_owned(), ToString::to_string);
        table.row(row(name, vec![count(jobs(pipeline))], pipeline));
    }
    table.row(row("total".to_owned(), vec![count(jobs(usage))], usage));
    table.take_lines()
}

/// A row for each job of a pipeline, and a total.
pub fn usage_by_job(usage: &[JobUsage]) -> Vec<String> {
    let mut table = table("JOB", &[""]);
    for job in usage {
        let name = job
            .job
            .map_or_else(|| "(of the pipeline)".to_owned(), |job| job.to_string());
        let state = if job.is_expired { "expired" } else { "" };
        table.row(row(name, vec![state.to_owned()], std::slice::from_ref(job)));
    }
    table.row(row("total".to_owned(), vec![String::new()], usage));
    table.take_lines()
}

/// The JSON of a job, of a pipeline's own records, or of the store's.
pub fn usage_json(usage: &JobUsage) -> Value {
    let Space { files, bytes } = sum(std::slice::from_ref(usage), |_| true);
    json!({
        "pipeline": usage.pipeline,
        "job": usage.job,
        "expired": usage.is_expired,
        "files": files,
        "bytes": bytes,
        "kinds": usage.space,
    })
}

fn table(first: &str, more: &[&str]) -> Table {
    let sizes = COLUMNS.iter().map(|(heading, _)| *heading);
    let headings = [first].into_iter().chain(more.iter().copied());
    let headings: Vec<&str> = headings.chain(["FILES>", "SIZE>"]).chain(sizes).collect();
    Table::new(&headings)
}

fn row(name: String, more: Vec<String>, usage: &[JobUsage]) -> Vec<String> {
    let all = sum(usage, |_| true);
    let mut cells = vec![name];
    cells.extend(more);
    cells.extend([count(all.files), bytes(all.bytes)]);
    cells.extend(
        COLUMNS
            .iter()
            .map(|(_, kinds)| bytes(sum(usage, |kind| kinds.contains(&kind)).bytes)),
    );
    cells
}

fn jobs(usage: &[JobUsage]) -> u64 {
    usage
        .iter()
        .filter(|usage| usage.job.is_some() && !usage.is_expired)
        .count() as u64
}

fn sum(usage: &[JobUsage], is_wanted: impl Fn(FileKind) -> bool) -> Space {
    let mut sum = Space::default();
    for usage in usage {
        for (kind, space) in &usage.space {
            if is_wanted(*kind) {
                sum += *space;
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_told_by_pipeline_and_by_job() {
        let usage = |pipeline: Option<&str>,
                     job: Option<&str>,
                     is_expired,
                     space: &[(FileKind, u64, u64)]| JobUsage {
            pipeline: pipeline.map(|name| name.parse().unwrap()),
            job: job.map(|job| job.parse().unwrap()),
            is_expired,
            space: space
                .iter()
                .map(|(kind, files, bytes)| {
                    (
                        *kind,
                        Space {
                            files: *files,
                            bytes: *bytes,
                        },
                    )
                })
                .collect(),
        };
        let all = [
            usage(None, None, false, &[(FileKind::HashCache, 1, 4_000)]),
            usage(
                Some("thumbs"),
                None,
                false,
                &[(FileKind::DoneIndex, 1, 300)],
            ),
            usage(
                Some("thumbs"),
                Some("01jd9x3k5m7n9p1q3r5s7t9v0w"),
                true,
                &[
                    (FileKind::Outputs, 2, 5_000_000),
                    (FileKind::Verdicts, 1, 700),
                ],
            ),
            usage(
                Some("thumbs"),
                Some("01jd9x3k5m7n9p1q3r5s7t9v0x"),
                false,
                &[(FileKind::Logs, 9, 12_000)],
            ),
        ];
        insta::assert_snapshot!(usage_by_pipeline(&all).join("\n"), @r"
        PIPELINE       JOBS  FILES     SIZE  OUTPUTS      LOGS  MANIFESTS  VERDICTS    OTHER
        (no pipeline)     0      1  4.00 kB      0 B       0 B        0 B       0 B  4.00 kB
        thumbs            1     13  5.01 MB  5.00 MB  12.00 kB        0 B     700 B    300 B
        total             1     14  5.02 MB  5.00 MB  12.00 kB        0 B     700 B  4.30 kB
        ");
        insta::assert_snapshot!(usage_by_job(&all[1..]).join("\n"), @r"
        JOB                                  FILES      SIZE  OUTPUTS      LOGS  MANIFESTS  VERDICTS  OTHER
        (of the pipeline)                        1     300 B      0 B       0 B        0 B       0 B  300 B
        01jd9x3k5m7n9p1q3r5s7t9v0w  expired      3   5.00 MB  5.00 MB       0 B        0 B     700 B    0 B
        01jd9x3k5m7n9p1q3r5s7t9v0x               9  12.00 kB      0 B  12.00 kB        0 B       0 B    0 B
        total                                   13   5.01 MB  5.00 MB  12.00 kB        0 B     700 B  300 B
        ");
        insta::assert_snapshot!(usage_json(&all[2]), @r#"{"bytes":5000700,"expired":true,"files":3,"job":"01jd9x3k5m7n9p1q3r5s7t9v0w","kinds":{"outputs":{"bytes":5000000,"files":2},"verdicts":{"bytes":700,"files":1}},"pipeline":"thumbs"}"#);
    }
}
