//! Notes of the commands, with their times.

use std::collections::BTreeMap;
use std::fs;

use drover_tests::Workspace;

/// Seconds since the machine was started: a clock that a shell reads without another process.
pub(super) fn now() -> f64 {
    let uptime = fs::read_to_string("/proc/uptime").expect("/proc is there");
    seconds(uptime.split_whitespace().next().unwrap_or_default())
}

fn seconds(text: &str) -> f64 {
    text.parse().expect("a number of seconds")
}

/// A command that began.
#[derive(Clone, Debug)]
pub(super) struct Begin {
    pub(super) content: String,
    pub(super) worker: String,
    pub(super) at: f64,
}

/// All begins, in the order in which they were told.
pub(super) fn begins(workspace: &Workspace) -> Vec<Begin> {
    let told = fs::read_to_string(workspace.outside("begun")).unwrap_or_default();
    let begin = |line: &str| {
        let mut words = line.split(' ').map(ToOwned::to_owned);
        Some(Begin {
            content: words.next()?,
            worker: words.next()?,
            at: seconds(&words.next()?),
        })
    };
    told.lines().filter_map(begin).collect()
}

/// How often the command began for each content.
pub(super) fn times_begun(begins: &[Begin]) -> BTreeMap<&str, u32> {
    let mut times = BTreeMap::new();
    for begin in begins {
        *times.entry(begin.content.as_str()).or_default() += 1;
    }
    times
}

/// The datums that a worker runs at the moment, according to the notes.
pub(super) fn running(workspace: &Workspace, worker: &str) -> Vec<String> {
    let ended = workspace.tally("ended");
    let begun = begins(workspace)
        .into_iter()
        .filter(|begin| begin.worker == worker);
    begun
        .map(|begin| begin.content)
        .filter(|content| !ended.contains_key(&format!("{content} {worker}")))
        .collect()
}
