//! The top level.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{cluster, code, command, input, limits, notify, place};
use crate::id::PipelineName;
use crate::pipeline::collector::FindingCollector;
use crate::pipeline::document::Path;
use crate::pipeline::{
    Limit, Parallelism, Pipeline, Reprocess, Retention, SetRule, Sharing, StragglerRule, spec,
};

/// Attempts in all for each datum.
const DATUM_TRIES: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");

/// Attempts of a datum that may end for want of memory.
const MEMORY_TRIES: NonZeroU32 = NonZeroU32::new(3).expect("3 is not 0");

/// Datums staged ahead of processing by a worker, for each slot.
const LOOK_AHEAD: u32 = 2;

/// The most datums of a job.
const MAX_DATUMS: u64 = 10_000_000;

/// Idle time before the pods of a standby pipeline go.
const STANDBY_AFTER: Duration = Duration::from_mins(1);

/// Resolves a spec; returns nothing if the report holds the reason.
pub(in crate::pipeline) fn pipeline(
    spec: &spec::Pipeline,
    report: &mut FindingCollector<'_>,
) -> Option<Pipeline> {
    let root = Path::root();
    let name = name(spec, report);
    let transform = command::transform(spec.transform.as_ref(), report);
    let input = input::input(spec.input.as_ref(), name.as_ref(), report);
    let parallelism = parallelism(spec.parallelism_spec.as_ref(), report);
    let datum_timeout = limit(spec.datum_timeout, &root.field("datum_timeout"), report);
    let job_timeout = limit(spec.job_timeout, &root.field("job_timeout"), report);
    let datum_set = datum_set(spec, report);
    let code = code::code(&spec.code, report);
    let limits = limits::limits(&spec.limits, report);
    let stragglers = stragglers(spec, &limits, report);
    let egress = place::egress(spec.egress.as_ref(), report);
    let notify = notify::notify(&spec.notify, report);
    let standby_after = standby_after(spec, report);
    cluster::check(spec, report);
    Some(Pipeline {
        name: name?,
        description: spec.description.clone().unwrap_or_default(),
        transform: transform?,
        input: input?,
        parallelism,
        datum_tries: spec
            .datum_tries
            .and_then(NonZeroU32::new)
            .unwrap_or(DATUM_TRIES),
        memory_tries: spec
            .memory_tries
            .and_then(NonZeroU32::new)
            .unwrap_or(MEMORY_TRIES),
        requests: cluster::requests(spec),
        max_failures: spec.max_failures.map(|spec::FailureLimit(limit)| limit),
        keep_going: spec.keep_going.unwrap_or(false),
        limits,
        stragglers,
        sharing: Sharing {
            priority: spec.priority.unwrap_or_default(),
            share: spec
                .share
                .and_then(NonZeroU32::new)
                .unwrap_or(NonZeroU32::MIN),
        },
        max_datums: spec.max_datums.unwrap_or(MAX_DATUMS),
        datum_timeout,
        job_timeout,
        reprocess: match spec.reprocess_spec {
            Some(spec::Reprocess::EveryJob) => Reprocess::EveryJob,
            Some(spec::Reprocess::UntilSuccess) | None => Reprocess::UntilSuccess,
        },
        look_ahead: spec.max_queue_size.unwrap_or(LOOK_AHEAD),
        datum_set,
        code: code?,
        retention: retention(spec.retention.as_ref()),
        output_conflict: spec.output_conflict.unwrap_or_default(),
        standby_after,
        autoscaling: spec.autoscaling.unwrap_or_default(),
        egress,
        notify,
    })
}

fn name(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) -> Option<PipelineName> {
    let path = Path::root().field("pipeline").field("name");
    let name = spec
        .pipeline
        .as_ref()
        .and_then(|identity| identity.name.as_deref());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        report.missing(
            &path,
            "give the pipeline a name: `pipeline: {name: word-count}`",
        );
        return None;
    };
    name.parse()
        .map_err(|_| {
            let rule = "1 to 63 letters, digits, '-' or '_', the first one a letter or digit";
            report.error(&path, format!("{name:?} is not a pipeline name"), rule);
        })
        .ok()
}

fn parallelism(spec: Option<&spec::Parallelism>, report: &mut FindingCollector<'_>) -> Parallelism {
    let constant = spec
        .and_then(|spec| spec.constant)
        .and_then(NonZeroU32::new);
    let coefficient = spec
        .and_then(|spec| spec.coefficient)
        .filter(|coefficient| *coefficient > 0.0);
    match (constant, coefficient) {
        (Some(_), Some(_)) => {
            let path = Path::root().field("parallelism_spec");
            report.error(
                &path,
                "`constant` and `coefficient` contradict each other",
                "keep one of them",
            );
            Parallelism::Coefficient(1.0)
        }
        (Some(constant), None) => Parallelism::Constant(constant),
        (None, Some(coefficient)) => Parallelism::Coefficient(coefficient),
        (None, None) => Parallelism::Coefficient(1.0),
    }
}

fn limit(
    limit: Option<spec::Duration>,
    path: &Path,
    report: &mut FindingCollector<'_>,
) -> Option<Duration> {
    let spec::Duration(limit) = limit?;
    if limit.is_zero() {
        report.error(
            path,
            "a limit of 0 leaves no time at all",
            "leave it out for no limit",
        );
    }
    Some(limit)
}

fn datum_set(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) -> SetRule {
    let (field, set) = match (&spec.datum_set_spec, &spec.chunk_spec) {
        (Some(_), Some(_)) => {
            let message = "is the older name of `datum_set_spec`, which is given too";
            report.error(
                &Path::root().field("chunk_spec"),
                message,
                "keep one of them",
            );
            return SetRule::Automatic;
        }
        (Some(set), None) => ("datum_set_spec", set),
        (None, Some(set)) => ("chunk_spec", set),
        (None, None) => return SetRule::Automatic,
    };
    let path = Path::root().field(field);
    let number = set.number.and_then(NonZeroU32::new);
    let size_bytes = set.size_bytes.filter(|size| *size > 0);
    match (number, size_bytes, set.per_worker.and_then(NonZeroU32::new)) {
        (None, None, None) => SetRule::Automatic,
        (None, None, Some(sets)) => SetRule::PerWorker(sets),
        (Some(_), _, Some(_)) | (_, Some(_), Some(_)) => {
            let message = "`per_worker` contradicts `number` and `size_bytes`";
            report.error(&path, message, "keep one of them");
            SetRule::Automatic
        }
        (number, Some(size), None) => {
            if number.is_some() {
                let message =
                    "is not used: beside `size_bytes`, sets are closed by their size alone";
                report.note(&path.field("number"), message, "");
            }
            SetRule::SizeBytes(size)
        }
        (Some(number), None, None) => SetRule::Number(number),
    }
}

/// A limit counts datums, and a copy is no datum.
fn stragglers(
    spec: &spec::Pipeline,
    limits: &[Limit],
    report: &mut FindingCollector<'_>,
) -> StragglerRule {
    let rule = spec.stragglers.unwrap_or_default();
    if rule == StragglerRule::Copy && !limits.is_empty() {
        report.error(
            &Path::root().field("stragglers"),
            "`copy` contradicts `limits`, which a copy would exceed",
            "remove one of them",
        );
    }
    rule
}

fn retention(spec: Option<&spec::Retention>) -> Retention {
    let age = |age: Option<spec::Duration>| age.map(|spec::Duration(age)| age);
    spec.map_or_else(Retention::default, |spec| Retention {
        jobs: spec.jobs,
        logs: age(spec.logs),
        failed_logs: age(spec.failed_logs),
    })
}

fn standby_after(spec: &spec::Pipeline, report: &mut FindingCollector<'_>) -> Option<Duration> {
    let after = spec.standby_after.map(|spec::Duration(after)| after);
    match (spec.standby, after) {
        (Some(false), Some(_)) => {
            let message = "contradicts `standby: false`";
            report.error(
                &Path::root().field("standby_after"),
                message,
                "remove one of them",
            );
            None
        }
        (Some(true), None) => Some(STANDBY_AFTER),
        (_, after) => after,
    }
}
