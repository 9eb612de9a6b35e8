//! A seeded random mix of kills, stops and freezes: nothing acknowledged is lost, nothing committed is done twice.
//!
//! `make chaos SEED=7 MINUTES=10` runs rounds for that long; `cargo test` runs two.
#![expect(
    clippy::print_stdout,
    reason = "its counters are what `make chaos` is for"
)]

mod counters;
mod disturbance;
mod round;

use std::time::{Duration, Instant};

use counters::Counters;
use drover_tests::Random;

#[test]
fn nothing_is_lost_or_done_twice_whatever_happens() {
    let seed = setting("SEED").unwrap_or(1);
    let minutes = setting("MINUTES");
    let begun = Instant::now();
    let mut random = Random::new(seed);
    let mut total = Counters::default();
    let mut rounds = 0;
    while rounds < 2
        || minutes.is_some_and(|minutes| begun.elapsed() < Duration::from_secs(60 * minutes))
    {
        rounds += 1;
        total += round::play(&mut random);
        println!("seed {seed}, {rounds} rounds: {total}");
        assert!(
            total.is_clean(),
            "see the counters above; SEED={seed} repeats it"
        );
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no command line of its own"
)]
fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is not a whole number")),
    )
}
