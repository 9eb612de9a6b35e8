//! Seeded schedules on a paused clock.

use std::ops::Range;

use tokio::task::LocalSet;

/// The variable with the first seed, alone a seed to repeat; and the variable with the number of schedules.
const SEED: &str = "DROVER_SEED";
const SCHEDULES: &str = "DROVER_SCHEDULES";

/// Schedules of a test run.
const USUAL: u64 = 500;

/// The seeds to run.
#[expect(clippy::disallowed_methods, reason = "settings of a test")]
pub fn seeds() -> Range<u64> {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let (first, count) = (number(SEED), number(SCHEDULES));
    let usual = if first.is_some() { 1 } else { USUAL };
    let first = first.unwrap_or(0);
    first..first + count.unwrap_or(usual)
}

/// Runs a schedule for each seed, each in a runtime of its own.
pub fn each_seed<F: Future>(schedule: fn(u64) -> F) -> impl Iterator<Item = F::Output> {
    seeds().map(move |seed| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        LocalSet::new().block_on(&runtime, schedule(seed))
    })
}
