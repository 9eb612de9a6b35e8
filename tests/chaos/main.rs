//! Seeded random mixes of kills, stops and freezes, of one `drover run` and of a whole cluster: nothing acknowledged is
//! lost, nothing is committed twice.
//!
//! `make chaos SEED=7 MINUTES=10` runs rounds of both for that long, side by side; `cargo test` runs a few. `NODES=3`
//! makes a cluster of three nodes of the broker.
#![expect(
    clippy::print_stdout,
    reason = "its counters are what `make chaos` is for"
)]

mod cluster;
mod counters;
mod disturbance;
mod round;

use std::str::FromStr;
use std::time::{Duration, Instant};

use cluster::ChaosScenario;
use counters::Counters;
use drover_tests::Random;

/// Steps of trouble in a round of the cluster: few in `cargo test`, many where there are minutes.
const STEPS: [usize; 2] = [10, 50];

#[test]
fn nothing_is_lost_or_done_twice_whatever_happens() {
    let mut total = Counters::default();
    rounds("one process", 2, |random| {
        total += round::play(random);
        total
    });
}

#[test]
fn a_cluster_loses_nothing_and_commits_nothing_twice_whatever_happens() {
    let has_time = setting::<u64>("MINUTES").is_some();
    let nodes = setting("NODES").unwrap_or(1);
    let mut scenario = ChaosScenario::start(nodes, has_time);
    let steps = STEPS[usize::from(has_time)];
    rounds("a cluster", 1, |random| scenario.play(steps, random));
}

/// Plays at least `least` rounds, and more as long as there is time. Each returns the counters of all so far.
fn rounds(what: &str, least: u64, mut play: impl FnMut(&mut Random) -> Counters) {
    let seed = setting("SEED").unwrap_or(1);
    let time = Duration::from_secs(60 * setting("MINUTES").unwrap_or(0));
    let begun = Instant::now();
    let mut random = Random::new(seed);
    let mut played = 0;
    while played < least || begun.elapsed() < time {
        played += 1;
        let total = play(&mut random);
        println!("{what}, seed {seed}, {played} rounds: {total}");
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
fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text:?} is not a whole number")),
    )
}
