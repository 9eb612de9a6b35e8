//! Fuzzing by seeded mutation: mutates the inputs of a corpus for a while and watches what reads them.
//!
//! `FUZZ_SECONDS` is the time of a target, `FUZZ_SEED` the number that repeats a round.

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Time of a target in seconds, unless `FUZZ_SECONDS` says otherwise.
const SHORT_ROUND_S: f64 = 0.5;
/// An input that is read for longer hangs.
const HANG: Duration = Duration::from_secs(20);
/// Inputs do not grow beyond this size, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Pieces at which readers have failed before.
const PIECES: [&str; 16] = [
    "18446744073709551616",
    "-1",
    "1e308",
    "-0.0",
    "null",
    "\"\"",
    "{}",
    "[[[[[[[[[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "\u{0}",
    "\u{feff}",
    "\\ud800",
    "**",
    "../",
    "&a *a",
    "9999-12-31T23:59:59Z",
];

/// Reads all files of a folder, by name.
///
/// # Panics
///
/// If a file cannot be read.
pub fn corpus(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the corpus is part of the repository");
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path| fs::read(path).expect("the corpus is readable");
    paths
        .iter()
        .filter(|path| path.is_file())
        .map(read)
        .collect()
}

/// Gives `read` every seed, and mutations of the seeds until the time is over. An input at which `read` panics or hangs is
/// shown with the number that repeats the round: `FUZZ_SEED`.
///
/// # Panics
///
/// If `read` panics or hangs, or if there are no seeds.
pub fn fuzz(seeds: &[Vec<u8>], read: impl Fn(&[u8]) + Send + 'static) {
    assert!(!seeds.is_empty(), "the corpus is empty");
    let number = setting("FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let time = Duration::from_secs_f64(setting("FUZZ_SECONDS").unwrap_or(SHORT_ROUND_S));
    let current = Arc::new(Mutex::new(Vec::new()));
    let (shown, seeds) = (Arc::clone(&current), seeds.to_vec());
    let (alive, beats) = channel();
    let reader = thread::spawn(move || {
        let mut random = fastrand::Rng::with_seed(number);
        let begun = Instant::now();
        let mut inputs = seeds.clone().into_iter();
        while begun.elapsed() < time || inputs.len() > 0 {
            let input = inputs
                .next()
                .unwrap_or_else(|| mutated(&seeds, &mut random));
            shown.lock().expect("never poisoned").clone_from(&input);
            read(&input);
            let _ = alive.send(());
        }
    });
    let hangs = loop {
        match beats.recv_timeout(HANG) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => break true,
            Err(RecvTimeoutError::Disconnected) => break false,
        }
    };
    if hangs || reader.join().is_err() {
        let input = current.lock().expect("never poisoned").clone();
        let fault = if hangs { "hang" } else { "panic" };
        let text = String::from_utf8_lossy(&input).into_owned();
        panic!("FUZZ_SEED={number}: a {fault} at {text:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the settings of a test")]
fn setting<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// A seed after one to eight changes.
fn mutated(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..=8) {
        change(&mut input, seeds, random);
        input.truncate(MAX_BYTES);
    }
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut fastrand::Rng) {
    let place = random.usize(..=input.len());
    let end = (place + random.usize(..16)).min(input.len());
    match random.u8(..7) {
        0 if place < end => input[place] = random.u8(..),
        1 if place < end => input[place] ^= 1 << random.u8(..8),
        2 => drop(input.drain(place..end)),
        3 => {
            let again = input[place..end].repeat(random.usize(1..64));
            input.splice(place..place, again);
        }
        4 => {
            let other = &seeds[random.usize(..seeds.len())];
            let from = random.usize(..=other.len());
            input.splice(place.., other[from..].iter().copied());
        }
        5 => {
            let piece = PIECES[random.usize(..PIECES.len())];
            input.splice(place..end, piece.bytes());
        }
        _ => {
            // A number in the input becomes another one.
            let digits = input[place..].iter().position(u8::is_ascii_digit);
            if let Some(at) = digits.map(|below| place + below) {
                let piece = PIECES[random.usize(..4)];
                input.splice(at..=at, piece.bytes());
            }
        }
    }
}
