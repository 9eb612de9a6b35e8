//! Seeded schedules on a paused clock.

use std::ops::Range;

use tokio::task::LocalSet;

/// The variable with the first seed, alone a seed to repeat; and the variable with the number of schedules.
const SEED: &str = "DROVER_SEED";
const SCHEDULES: &str = "DROVER_SCHEDULES";

#[expect(clippy::disallowed_methods, reason = "settings of a test")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The seeds to run: `usual` of them, if nothing else is set.
fn seeds(usual: u64) -> Range<u64> {
    let (first, count) = (setting(SEED), setting(SCHEDULES));
    let usual = if first.is_some() { 1 } else { usual };
    let first = first.unwrap_or(0);
    first..first + count.unwrap_or(usual)
}

/// True if a single seed is repeated, whose steps are of interest.
pub fn is_repetition() -> bool {
    setting(SEED).is_some() && setting(SCHEDULES).is_none()
}

/// Runs a schedule for each seed: `usual` of them, if nothing else is set.
pub fn each_seed<F: Future>(usual: u64, schedule: fn(u64) -> F) -> Vec<F::Output> {
    let outputs = seeds(usual).map(|seed| run_paused(async move { schedule(seed).await }));
    outputs.collect()
}

/// Runs a schedule on a paused clock, in a runtime of its own.
pub fn run_paused<F: Future>(schedule: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, schedule)
}
