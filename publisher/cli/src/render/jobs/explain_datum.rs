//! Sentences that explain a datum: the end, the memory, and the expected needs of the next run.

use drover_core::catalog::JobDatum;
use drover_shared::datum::{DatumState, MemoryObserver, ResourceUsage, Verdict};
use drover_shared::prediction::{Prediction, PredictionBasis, UsageModel};

use crate::render::jobs::list::size;
use crate::render::terminal::number::{bytes, counted, seconds};
use crate::render::terminal::text::printable;

/// The explanation of a datum; `model` is what the datums of the pipeline needed.
pub fn explain_datum(row: &JobDatum, model: &UsageModel) -> Vec<String> {
    let size = size(&row.datum);
    let mut sentences = vec![end(row)];
    let usage = row.verdict.as_ref().and_then(|verdict| verdict.usage);
    sentences.extend(usage.map(|usage| needed(&usage, size)));
    sentences.push(match model.predict(row.datum.id, size) {
        Some(prediction) => expected(&prediction),
        None => "Nothing is known yet about the memory of this pipeline's datums: its next run takes an equal part of its worker, one for each slot.".to_owned(),
    });
    sentences
}

fn end(row: &JobDatum) -> String {
    let index = row.datum.index;
    let Some(verdict) = &row.verdict else {
        return match row.state {
            DatumState::Skipped => {
                format!("Datum {index} was skipped: an earlier job did the same work.")
            }
            _ => format!("Datum {index} has not ended."),
        };
    };
    let attempts = counted(verdict.attempts.into(), "attempt");
    let worker = &verdict.worker;
    match reason(verdict) {
        None => format!("Datum {index} succeeded after {attempts}, on {worker}."),
        Some(reason) => format!("Datum {index} failed after {attempts}, on {worker}: {reason}."),
    }
}

fn reason(verdict: &Verdict) -> Option<String> {
    let cause = verdict.cause.as_ref()?;
    Some(printable(&cause.to_string()))
}

fn needed(usage: &ResourceUsage, size: u64) -> String {
    let observer = match usage.memory_by {
        MemoryObserver::Group => "measured by the control group of its slot",
        MemoryObserver::Tree => "seen by looks at its processes",
        MemoryObserver::Process => "of the largest of its processes",
    };
    // Only a process that stays loaded has no time for a single datum.
    let rest = match usage.cpu_time_s {
        Some(time) => format!(", and {} on CPUs", seconds(time)),
        None => {
            ", with all that its process, which stays loaded, kept from earlier datums".to_owned()
        }
    };
    format!(
        "Its command used {} of memory, {observer}{rest}; its inputs are {}.",
        bytes(usage.memory_bytes),
        bytes(size)
    )
}

fn expected(prediction: &Prediction) -> String {
    let memory = bytes(prediction.memory_bytes);
    match prediction.basis {
        PredictionBasis::Itself(own) => format!(
            "Its next run is expected to need {memory} of memory, a sixteenth more than it needed before: {}.",
            bytes(own)
        ),
        PredictionBasis::Similar(count) => format!(
            "Its next run is expected to need {memory} of memory and {}: 80 % of {} with inputs of a similar size needed no more memory, half of them no more time.",
            seconds(prediction.seconds),
            counted(count, "datum")
        ),
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::VerdictState;

    use super::*;
    use crate::render::testing::samples;

    fn verdict(memory_bytes: u64) -> Verdict {
        let datum = samples::datum(17);
        serde_json::from_value(serde_json::json!({
            "index": 17, "datum": datum.id, "state": VerdictState::Success, "attempts": 1,
            "worker": "herd-1", "stats": {
                "download_bytes": size(&datum), "upload_bytes": 0, "download_time_s": 0.0,
                "process_time_s": 12.0, "upload_time_s": 0.0,
            },
            "usage": {"memory_bytes": memory_bytes, "memory_by": "group", "cpu_time_s": 3.5},
            "started": "2026-11-23T18:08:00Z", "finished": "2026-11-23T18:08:12Z",
        }))
        .unwrap()
    }

    fn row(verdict: Option<Verdict>) -> JobDatum {
        let state = verdict.as_ref().map(|it| it.state.into());
        JobDatum {
            datum: samples::datum(17),
            state: state.unwrap_or(DatumState::Queued),
            verdict,
            done: None,
        }
    }

    #[test]
    fn a_datum_is_explained_with_its_prediction_and_the_reason() {
        let mut model = UsageModel::default();
        let unknown = explain_datum(&row(None), &model).join("\n");
        insta::assert_snapshot!(unknown, @"
        Datum 17 has not ended.
        Nothing is known yet about the memory of this pipeline's datums: its next run takes an equal part of its worker, one for each slot.
        ");
        let verdict = verdict(500_000_000);
        model.learn(&verdict);
        let itself = explain_datum(&row(Some(verdict.clone())), &model).join("\n");
        insta::assert_snapshot!(itself, @"
        Datum 17 succeeded after 1 attempt, on herd-1.
        Its command used 500.00 MB of memory, measured by the control group of its slot, and 3.5s on CPUs; its inputs are 1.51 kB.
        Its next run is expected to need 531.25 MB of memory, a sixteenth more than it needed before: 500.00 MB.
        ");
        let mut loaded = verdict.clone();
        loaded.usage.as_mut().unwrap().cpu_time_s = None;
        insta::assert_snapshot!(needed(&loaded.usage.unwrap(), 9), @"Its command used 500.00 MB of memory, measured by the control group of its slot, with all that its process, which stays loaded, kept from earlier datums; its inputs are 9 B.");
        let mut others = UsageModel::default();
        let another = drover_shared::id::DatumId::from_hash(&blake3::hash(b"another"));
        others.learn(&Verdict {
            datum: another,
            ..verdict.clone()
        });
        let similar = explain_datum(&row(Some(verdict)), &others).join("\n");
        insta::assert_snapshot!(similar, @"
        Datum 17 succeeded after 1 attempt, on herd-1.
        Its command used 500.00 MB of memory, measured by the control group of its slot, and 3.5s on CPUs; its inputs are 1.51 kB.
        Its next run is expected to need 503.32 MB of memory and 12.3s: 80 % of 1 datum with inputs of a similar size needed no more memory, half of them no more time.
        ");
    }
}
