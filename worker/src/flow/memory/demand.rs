//! The part of the worker that a running datum takes.

use drover_shared::pipeline::ResourceRequests;
use drover_shared::prediction::{Prediction, PredictionBasis};
use drover_shared::units::whole_part;

use crate::context::WorkerContext;
use crate::flow::claimed::ClaimedDatum;
use crate::slots::{Demand, SlotShare};

/// The least memory that a command is expected to need, in bytes.
const LEAST: u64 = 16 << 20;

/// Datums from which on a prediction is believed, though it is lower than an equal part of the worker.
const ENOUGH: u64 = 10;

/// The memory that the datum is expected to need, in bytes.
pub(in crate::flow) fn expected_memory(claimed: &ClaimedDatum, context: &WorkerContext) -> u64 {
    let datum = &claimed.datum;
    let requests = &claimed.job.pipeline.requests;
    let predicted = match requests.memory_bytes {
        Some(_) => None,
        None => claimed.job.predict(datum.id, datum.input_bytes()),
    };
    expected(requests, predicted, context.slots.all())
}

/// The memory that is asked for, else predicted, else an equal part of the worker, which is `all`.
pub(super) fn expected(
    requests: &ResourceRequests,
    predicted: Option<Prediction>,
    all: Demand,
) -> u64 {
    if let Some(asked) = requests.memory_bytes {
        return asked;
    }
    let equal_part = all.memory / u64::from(all.slots.max(1));
    let needed = match predicted {
        None => equal_part,
        Some(few) if matches!(few.basis, PredictionBasis::Similar(count) if count < ENOUGH) => {
            few.memory_bytes.max(equal_part)
        }
        Some(known) => known.memory_bytes,
    };
    needed.max(LEAST)
}

/// The part of the worker that the datum takes, with `memory` bytes.
pub(in crate::flow) fn demand(
    claimed: &ClaimedDatum,
    memory: u64,
    context: &WorkerContext,
) -> Demand {
    match claimed.suspicion().share() {
        SlotShare::All => context.slots.all(),
        SlotShare::One => Demand {
            slots: slots(claimed.job.pipeline.requests.cpus),
            memory,
            gpus: claimed.job.pipeline.requests.gpus,
        },
    }
}

/// A slot stands for a CPU.
fn slots(cpus: Option<f64>) -> u32 {
    let slots = whole_part(cpus.unwrap_or(1.0).ceil()).max(1);
    u32::try_from(slots).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn memory_is_as_asked_for_else_as_predicted_else_an_equal_part() {
        let all = Demand {
            slots: 4,
            memory: 400 * MB,
            gpus: 0,
        };
        let similar = |memory_bytes, count| {
            Some(Prediction {
                memory_bytes,
                basis: PredictionBasis::Similar(count),
                seconds: 1.0,
            })
        };
        let itself = Some(Prediction {
            memory_bytes: 60 * MB,
            basis: PredictionBasis::Itself(50 * MB),
            seconds: 1.0,
        });
        let rows = [
            (Some(7), similar(60 * MB, 99), 7, "as asked for"),
            (None, similar(60 * MB, 99), 60 * MB, "as predicted"),
            (None, similar(60 * MB, 9), 100 * MB, "of few, lower"),
            (None, similar(160 * MB, 9), 160 * MB, "of few, higher"),
            (None, itself, 60 * MB, "of itself"),
            (None, similar(1, 99), LEAST, "the least"),
            (None, None, 100 * MB, "an equal part"),
        ];
        for (asked, predicted, bytes, why) in rows {
            let requests = ResourceRequests {
                memory_bytes: asked,
                ..ResourceRequests::default()
            };
            assert_eq!(expected(&requests, predicted, all), bytes, "{why}");
        }
    }

    #[test]
    fn a_datum_takes_a_slot_for_each_cpu_that_it_asks_for() {
        let rows = [
            (None, 1),
            (Some(0.5), 1),
            (Some(1.5), 2),
            (Some(8.0), 8),
            (Some(-3.0), 1),
        ];
        for (cpus, expected) in rows {
            assert_eq!(slots(cpus), expected, "{cpus:?}");
        }
    }
}
