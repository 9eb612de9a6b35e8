//! The variables that a command finds; a pure function of the datum and its surroundings.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use drover_shared::datum::{Datum, DatumInput};
use drover_shared::id::{JobId, PipelineName, WorkerId};
use jiff::Timestamp;

use crate::runner::{NEXT_DATUM, USUAL_PATH};

/// What the environment of one attempt tells of.
pub(super) struct Surroundings<'a> {
    pub(super) pipeline: &'a PipelineName,
    pub(super) job: JobId,
    pub(super) datum: &'a Datum,
    /// How many datums the job has, once that is known.
    pub(super) total: Option<u64>,
    /// Counted from 1.
    pub(super) attempt: u32,
    /// When the attempt will be ended, if it has a time limit.
    pub(super) deadline: Option<Timestamp>,
    pub(super) worker: &'a WorkerId,
    pub(super) pod: Option<&'a str>,
    pub(super) namespace: Option<&'a str>,
    /// Where the command sees its inputs.
    pub(super) pfs: &'a Path,
    /// Where the command has temporary files of its own.
    pub(super) tmp: &'a Path,
}

/// What belongs to this very attempt; it goes over inherited variables and `transform.env`.
pub(super) fn environment(about: &Surroundings<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    tell_of_attempt(about, &mut variables);
    variables
}

/// What holds for all datums of a command that stays, and the way to `next-datum`, which lies in the directory `asking`.
/// It goes over `base`, inherited variables and `transform.env`.
pub(super) fn lasting_environment(
    base: &BTreeMap<String, String>,
    about: &Surroundings<'_>,
    asking: &Path,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    tell_of_job(about, &mut variables);
    let asking = asking.display();
    let path = base.get("PATH").map_or(USUAL_PATH, String::as_str);
    variables.insert("PATH".to_owned(), format!("{asking}:{path}"));
    variables.insert(NEXT_DATUM.to_owned(), asking.to_string());
    variables
}

/// What belongs to this very attempt, as lines `NAME=value` that a shell and the `dotenv` libraries can read.
pub(super) fn dotenv(about: &Surroundings<'_>) -> String {
    let mut lines = String::new();
    for (name, value) in &environment(about) {
        lines.extend([name, "=", &*quoted(value), "\n"]);
    }
    lines
}

/// The value as a shell reads it; in quotes only where that is needed.
fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |each: char| each.is_alphanumeric() || "/._-:,+@%=".contains(each);
    if value.chars().all(plain) {
        Cow::Borrowed(value)
    } else {
        Cow::Owned(format!("'{}'", value.replace('\'', r"'\''")))
    }
}

fn tell_of_attempt(about: &Surroundings<'_>, variables: &mut BTreeMap<String, String>) {
    let mut set = |name: &str, value: String| {
        variables.insert(name.to_owned(), value);
    };
    for input in &about.datum.inputs {
        set(&input.name, input_path(about.pfs, input));
        set(&format!("{}_COMMIT", input.name), input.tag.to_string());
        let keys = [("JOIN_ON", &input.join_on), ("GROUP_BY", &input.group_by)];
        for (kind, key) in keys {
            if let Some(key) = key.as_ref().filter(|key| !key.is_empty()) {
                set(&format!("PACH_DATUM_{}_{kind}", input.name), key.clone());
            }
        }
    }
    set("PACH_DATUM_ID", about.datum.id.to_string());
    set("DROVER_ATTEMPT", about.attempt.to_string());
    set("DROVER_DATUM_INDEX", about.datum.index.to_string());
    if let Some(total) = about.total {
        set("DROVER_DATUM_TOTAL", total.to_string());
    }
    if let Some(deadline) = about.deadline {
        set("DROVER_DEADLINE", deadline.to_string());
    }
    tell_of_job(about, variables);
}

/// Adds what is the same for all datums that a worker takes of a job.
fn tell_of_job(about: &Surroundings<'_>, variables: &mut BTreeMap<String, String>) {
    let mut set = |name: &str, value: String| {
        variables.insert(name.to_owned(), value);
    };
    let job = about.job.to_string();
    set("PACH_JOB_ID", job.clone());
    set("PACH_OUTPUT_COMMIT_ID", job);
    set("PPS_PIPELINE_NAME", about.pipeline.to_string());
    set("PFS", about.pfs.display().to_string());
    set("TMPDIR", about.tmp.display().to_string());
    set("DROVER_WORKER", about.worker.to_string());
    if let Some(pod) = about.pod {
        set("PPS_POD_NAME", pod.to_owned());
    }
    if let Some(namespace) = about.namespace {
        set("PPS_NAMESPACE", namespace.to_owned());
    }
}

/// Where the command sees an input.
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

    /// What `tell` makes of the surroundings of a first attempt, but for what `change` changes there.
    fn with_surroundings<T>(
        datum: &Datum,
        change: impl FnOnce(&mut Surroundings<'_>),
        tell: impl FnOnce(&Surroundings<'_>) -> T,
    ) -> T {
        let pipeline = "edges".parse().unwrap();
        let worker = "herd-1".parse().unwrap();
        let mut about = Surroundings {
            pipeline: &pipeline,
            job: "01jd3gk6m8q4v5w6x7y8z9a0bc".parse().unwrap(),
            datum,
            total: None,
            attempt: 1,
            deadline: None,
            worker: &worker,
            pod: None,
            namespace: None,
            pfs: Path::new("/pfs"),
            tmp: Path::new("/tmp"),
        };
        change(&mut about);
        tell(&about)
    }

    /// `NAME=value` lines of what is set.
    fn set_for(datum: &Datum, change: impl FnOnce(&mut Surroundings<'_>)) -> Vec<String> {
        let variables = with_surroundings(datum, change, environment);
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
    fn what_is_known_only_sometimes_is_set_only_then() {
        let mut datum = datum_of(3, &[("in", "/a")]);
        let plain = set_for(&datum, |_| ());
        datum.inputs[0].join_on = Some("2026".into());
        datum.inputs[0].group_by = Some(String::new());
        let more = set_for(&datum, |about| {
            about.total = Some(9);
            about.attempt = 2;
            about.deadline = Some("2026-11-23T18:31:55Z".parse().unwrap());
            about.pod = Some("herd-0");
            about.namespace = Some("farm");
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
        ]
        "#);
    }

    #[test]
    fn inputs_are_told_where_the_command_sees_them() {
        let datum = datum_of(3, &[("in", "/a")]);
        let elsewhere = |about: &mut Surroundings<'_>| about.pfs = Path::new("/scratch/pfs");
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
    fn a_command_that_stays_is_told_what_is_of_a_datum_with_the_datum() {
        let datum = datum_of(3, &[("in", "/a b")]);
        let base = [("PATH".to_owned(), "/opt/bin".to_owned())].into();
        let (lasting, file) = with_surroundings(
            &datum,
            |about| about.attempt = 2,
            |about| {
                let asking = Path::new("/tmp/.drover");
                (lasting_environment(&base, about, asking), dotenv(about))
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
    fn of_two_inputs_with_one_name_the_last_is_told() {
        let datum = datum_of(0, &[("in", "/a"), ("in", "/b")]);
        assert!(set_for(&datum, |_| ()).contains(&"in=/pfs/in/b".to_owned()));
    }
}
