//! Measures the datums of a job that ran only the first ones.

use std::collections::BTreeMap;

use drover_shared::datum::{Verdict, VerdictState};
use drover_shared::id::JobId;
use drover_shared::job::{Estimate, MeasuredDatum, WholeJob};
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use drover_shared::units::total_bytes;

/// The need of the `whole`, by the verdicts of the job.
pub(super) async fn estimate(
    ledger: &Ledger,
    job: JobId,
    whole: WholeJob,
    slots: Option<u32>,
) -> Result<Option<Estimate>, StoreError> {
    let mut all = Vec::new();
    for segment in ledger.segments(job).await? {
        let entries = ledger.manifest(job, segment).await?.into_iter();
        let sizes: BTreeMap<u64, u64> = entries
            .map(|entry| (entry.datum.index, entry.datum.input_bytes()))
            .collect();
        let verdicts = ledger.verdicts(job, segment).await?;
        let of = |verdict: &Verdict| sizes.get(&verdict.index).copied().unwrap_or_default();
        all.extend(verdicts.iter().map(|it| measured(it, of(it))));
    }
    Ok(Estimate::new(&all, whole, slots))
}

fn measured(verdict: &Verdict, input_bytes: u64) -> MeasuredDatum {
    let stats = &verdict.stats;
    MeasuredDatum {
        input_bytes,
        slot_time_s: stats.download_time_s + stats.process_time_s + stats.upload_time_s,
        output_bytes: total_bytes(verdict.outputs.iter().map(|output| output.size)),
        memory_bytes: verdict.usage.map(|usage| usage.memory_bytes),
        has_failed: verdict.state == VerdictState::Failed,
    }
}
