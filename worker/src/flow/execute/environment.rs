//! The environment variables of a command: a pure function of the datum and its attempt.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use drover_shared::datum::{Datum, DatumInput};
use drover_shared::id::{JobId, PipelineName, WorkerId};
use drover_shared::trace_parent::TraceParent;
use jiff::Timestamp;

use crate::runner::{NEXT_DATUM, USUAL_PATH};

/// The input for the environment of one attempt.
pub(super) struct AttemptContext<'a> {
    pub(super) pipeline: &'a PipelineName,
    pub(super) job: JobId,
    pub(super) datum: &'a Datum,
    /// The number of the job's datums, once it is known.
    pub(super) total: Option<u64>,
    /// Counted from 1.
    pub(super) number: u32,
    /// The end of the attempt's time limit, if any.
    pub(super) deadline: Option<Timestamp>,
    /// The trace context of the attempt.
    pub(super) trace: Option<TraceParent>,
    pub(super) worker: &'a WorkerId,
    pub(super) pod: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    /// The directory of the inputs, as the command sees it.
    pub(super) pfs: &'a Path,
    /// The directory for temporary files, as the command sees it.
    pub(super) tmp: &'a Path,
}

/// The variables of one attempt. They override inherited variables and `transform.env`.
pub(super) fn environment(attempt: &AttemptContext<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    set_attempt_variables(attempt, &mut variables);
    variables
}

/// The variables of a command with `datum_batching`, the same for all of its datums. `next-datum` lies in the directory
/// `asking`, which is put in front of `PATH`. They override `base`: inherited variables and `transform.env`.
pub(super) fn lasting_environment(
    base: &BTreeMap<String, String>,
    attempt: &AttemptContext<'_>,
    asking: &Path,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    set_job_variables(attempt, &mut variables);
    let asking = asking.display();
    let path = base.get("PATH").map_or(USUAL_PATH, String::as_str);
    variables.insert("PATH".to_owned(), format!("{asking}:{path}"));
    variables.insert(NEXT_DATUM.to_owned(), asking.to_string());
    variables
}

/// The variables of one attempt as lines `NAME=value`, which a shell and the `dotenv` libraries can read.
pub(super) fn dotenv(attempt: &AttemptContext<'_>) -> String {
    let mut lines = String::new();
    for (name, value) in &environment(attempt) {
        lines.extend([name, "=", &*quoted(value), "\n"]);
    }
    lines
}

/// The value as a shell reads it, in quotes only where they are needed.
fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |each: char| each.is_alphanumeric() || "/._-:,+@%=".contains(each);
    if value.chars().all(plain) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("'{}'", value.replace('\'', r"'\''")))
    }
}

fn set_attempt_variables(attempt: &AttemptContext<'_>, variables: &mut BTreeMap<String, String>) {
    let mut set = |name: &str, value: String| {
        variables.insert(name.to_owned(), value);
    };
    for input in &attempt.datum.inputs {
        set(&input.name, input_path(attempt.pfs, input));
        set(&format!("{}_COMMIT", input.name), input.tag.to_string());
        let keys = [("JOIN_ON", &input.join_on), ("GROUP_BY", &input.group_by)];
        for (kind, key) in keys {
            if let Some(key) = key.as_ref().filter(|key| !key.is_empty()) {
                set(&format!("PACH_DATUM_{}_{kind}", input.name), key.clone());
            }
        }
    }
    set("PACH_DATUM_ID", attempt.datum.id.to_string());
    set("DROVER_ATTEMPT", attempt.number.to_string());
    set("DROVER_DATUM_INDEX", attempt.datum.index.to_string());
    if let Some(total) = attempt.total {
        set("DROVER_DATUM_TOTAL", total.to_string());
    }
    if let Some(deadline) = attempt.deadline {
        set("DROVER_DEADLINE", deadline.to_string());
    }
    if let Some(trace) = &attempt.trace {
        set(TraceParent::VARIABLE, trace.to_string());
    }
    set_job_variables(attempt, variables);
}

/// Sets the variables that are the same for all datums of a job in the current worker.
fn set_job_variables(attempt: &AttemptContext<'_>, variables: &mut BTreeMap<String, String>) {
    let mut set = |name: &str, value: String| {
        variables.insert(name.to_owned(), value);
    };
    let job = attempt.job.to_string();
    set("PACH_JOB_ID", job.clone());
    set("PACH_OUTPUT_COMMIT_ID", job);
    set("PPS_PIPELINE_NAME", attempt.pipeline.to_string());
    set("PFS", attempt.pfs.display().to_string());
    set("TMPDIR", attempt.tmp.display().to_string());
    set("DROVER_WORKER", attempt.worker.to_string());
    if let Some(pod) = attempt.pod {
        set("PPS_POD_NAME", pod.to_owned());
    }
    if let Some(namespace) = attempt.namespace {
        set("PPS_NAMESPACE", namespace.to_owned());
    }
}

/// The path of an input, as the command sees it.
pub(super) fn input_path(pfs: &Path, input: &DatumInput) -> String {
    format!(
        "{}/{}{}",
        pfs.display(),
        input.name,
        input.path.trim_end_matches('/')
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::testing::datum_of;

    /// The result of `tell` for the context of a first attempt, changed by `change`.
    fn with_context<T>(
        datum: &Datum,
        change: impl FnOnce(&mut AttemptContext<'_>),
        tell: impl FnOnce(&AttemptContext<'_>) -> T,
    ) -> T {
        let pipeline = "edges".parse().unwrap();
        let worker = "herd-1".parse().unwrap();
        let mut attempt = AttemptContext {
            pipeline: &pipeline,
            job: "01jd3gk6m8q4v5w6x7y8z9a0bc".parse().unwrap(),
            datum,
            total: None,
            number: 1,
            deadline: None,
            trace: None,
            worker: &worker,
            pod: None,
            namespace: None,
            pfs: Path::new("/pfs"),
            tmp: Path::new("/tmp"),
        };
        change(&mut attempt);
        tell(&attempt)
    }

    /// The variables as lines `NAME=value`.
    fn set_for(datum: &Datum, change: impl FnOnce(&mut AttemptContext<'_>)) -> Vec<String> {
        let variables = with_context(datum, change, environment);
        variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn a_command_finds_its_datum_in_the_environment() {
        let datum = datum_of(3, &[("photos", "/2026/a.jpg"), ("labels", "/")]);
        insta::assert_snapshot!(set_for(&datum, |_| ()).join("\n"), @"
        DROVER_ATTEMPT=1
        DROVER_DATUM_INDEX=3
        DROVER_WORKER=herd-1
        PACH_DATUM_ID=00112233445566778899aabbccddeeff
        PACH_JOB_ID=01jd3gk6m8q4v5w6x7y8z9a0bc
        PACH_OUTPUT_COMMIT_ID=01jd3gk6m8q4v5w6x7y8z9a0bc
        PFS=/pfs
        PPS_PIPELINE_NAME=edges
        TMPDIR=/tmp
        labels=/pfs/labels
        labels_COMMIT=blake3:00
        photos=/pfs/photos/2026/a.jpg
        photos_COMMIT=blake3:00
        ");
    }

    #[test]
    fn optional_variables_are_set_only_if_their_values_are_known() {
        let mut datum = datum_of(3, &[("in", "/a")]);
        let plain = set_for(&datum, |_| ());
        datum.inputs[0].join_on = Some("2026".into());
        datum.inputs[0].group_by = Some(String::new());
        let more = set_for(&datum, |attempt| {
            attempt.total = Some(9);
            attempt.number = 2;
            attempt.deadline = Some("2026-11-23T18:31:55Z".parse().unwrap());
            attempt.trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
                .parse()
                .ok();
            attempt.pod = Some("herd-0");
            attempt.namespace = Some("farm");
        });
        let added: Vec<_> = more.iter().filter(|line| !plain.contains(line)).collect();
        insta::assert_snapshot!(format!("{added:#?}"), @r#"
        [
            "DROVER_ATTEMPT=2",
            "DROVER_DATUM_TOTAL=9",
            "DROVER_DEADLINE=2026-11-23T18:31:55Z",
            "PACH_DATUM_in_JOIN_ON=2026",
            "PPS_NAMESPACE=farm",
            "PPS_POD_NAME=herd-0",
            "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ]
        "#);
    }

    #[test]
    fn input_variables_hold_the_paths_that_the_command_sees() {
        let datum = datum_of(3, &[("in", "/a")]);
        let elsewhere = |attempt: &mut AttemptContext<'_>| attempt.pfs = Path::new("/scratch/pfs");
        assert!(set_for(&datum, elsewhere).contains(&"in=/scratch/pfs/in/a".to_owned()));
    }

    #[test]
    fn values_are_quoted_for_a_shell_only_where_they_must_be() {
        for (value, expected) in [
            ("/pfs/in/a-1.txt", "/pfs/in/a-1.txt"),
            ("", ""),
            ("ü", "ü"),
            ("a b", "'a b'"),
            ("$(rm -rf /)", "'$(rm -rf /)'"),
            ("it's", r"'it'\''s'"),
            ("two\nlines", "'two\nlines'"),
            ("~", "'~'"),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }

    #[test]
    fn a_batching_command_gets_the_variables_of_a_datum_with_the_datum() {
        let datum = datum_of(3, &[("in", "/a b")]);
        let base = [("PATH".to_owned(), "/opt/bin".to_owned())].into();
        let (lasting, file) = with_context(
            &datum,
            |attempt| attempt.number = 2,
            |attempt| {
                let asking = Path::new("/tmp/.drover");
                (lasting_environment(&base, attempt, asking), dotenv(attempt))
            },
        );
        let names: Vec<_> = lasting.keys().map(String::as_str).collect();
        insta::assert_snapshot!(
            names.join(" "),
            @"DROVER_NEXT_DATUM DROVER_WORKER PACH_JOB_ID PACH_OUTPUT_COMMIT_ID PATH PFS PPS_PIPELINE_NAME TMPDIR"
        );
        assert_eq!(lasting["PATH"], "/tmp/.drover:/opt/bin");
        for line in ["in='/pfs/in/a b'\n", "DROVER_ATTEMPT=2\n", "PFS=/pfs\n"] {
            assert!(file.contains(line), "{file}");
        }
    }

    #[test]
    fn of_two_inputs_with_one_name_the_last_is_set() {
        let datum = datum_of(0, &[("in", "/a"), ("in", "/b")]);
        assert!(set_for(&datum, |_| ()).contains(&"in=/pfs/in/b".to_owned()));
    }
}
