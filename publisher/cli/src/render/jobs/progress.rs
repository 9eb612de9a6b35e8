//! Progress of a running job on standard error: a bar on a terminal, else a line every few seconds.

use std::io::IsTerminal;
use std::time::Duration;

use console::Term;
use drover_shared::job::JobState;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::args::Format;
use crate::render::terminal::number::{count, length, seconds};
use crate::render::{Console, Palette};
use drover_core::coordinator::Snapshot;

/// Interval of the bar's frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(100);
/// Interval of lines without a terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(5);
/// Running time from which the oldest datum is named.
const LONG_RUNNING: SignedDuration = SignedDuration::from_secs(3);
/// Terminals with fewer columns show no bar.
const NARROW: u16 = 64;
/// Smallest rate from which the remaining time is estimated.
const MIN_RATE: f64 = 1e-6;

/// Follows a job until the final snapshot, or until the sender is dropped. `stopping` is cancelled when the job is
/// asked to drain.
pub async fn follow(
    mut snapshots: Receiver<Snapshot>,
    stopping: CancellationToken,
    console: Console,
) {
    let display = ProgressDisplay::new(console);
    let mut ticks = interval_at(Instant::now() + display.period(), display.period());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told_waiting, mut told_stopping) = (false, false);
    loop {
        tokio::select! {
            changed = snapshots.changed() => {
                let snapshot = snapshots.borrow_and_update().clone();
                if snapshot.waiting_for_lock && !told_waiting {
                    told_waiting = true;
                    display.say(&waiting(&snapshot));
                }
                if changed.is_err() || snapshot.record.state.is_final() {
                    break;
                }
            }
            () = stopping.cancelled(), if !told_stopping => {
                told_stopping = true;
                display.say("stopping: running datums may finish; Ctrl-C again ends them");
            }
            _ = ticks.tick() => {
                let snapshot = snapshots.borrow().clone();
                display.show(&snapshot);
            }
        }
    }
    display.clear();
}

/// Display of progress.
struct ProgressDisplay {
    console: Console,
    /// The bar, on a terminal.
    bar: Option<ProgressBar>,
}

impl ProgressDisplay {
    fn new(console: Console) -> Self {
        let bar = (!console.quiet && std::io::stderr().is_terminal()).then(bar);
        Self { console, bar }
    }

    fn period(&self) -> Duration {
        if self.bar.is_some() {
            FRAME_INTERVAL
        } else {
            LINE_INTERVAL
        }
    }

    fn show(&self, snapshot: &Snapshot) {
        match &self.bar {
            Some(bar) => draw(bar, snapshot, self.console.err),
            // Readers of JSON get no progress lines, and a waiting job was reported already.
            None if self.console.format == Format::Json || snapshot.waiting_for_lock => {}
            None => self.say(&line(snapshot, Timestamp::now(), self.console.err)),
        }
    }

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.console.message(text)),
            None => self.console.message(text),
        }
    }

    fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.with_style(style(columns()))
}

/// Width of the terminal on standard error.
fn columns() -> u16 {
    Term::stderr().size().1
}

/// The layout of a line: in a narrow terminal the numbers need the room of the bar.
fn style(columns: u16) -> ProgressStyle {
    let template = if columns < NARROW {
        "{prefix} {wide_msg}"
    } else {
        "{prefix} {bar:24.cyan/dim} {wide_msg}"
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

fn draw(bar: &ProgressBar, snapshot: &Snapshot, colours: Palette) {
    let (done, total) = match (snapshot.record.state, snapshot.files) {
        (JobState::Publishing | JobState::Egressing, Some(files)) => (files.done, files.total),
        _ => (snapshot.record.datums.ended(), snapshot.record.datums.total),
    };
    bar.set_style(style(columns()));
    bar.set_prefix(colours.bold(&snapshot.record.pipeline));
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(progress(snapshot, Timestamp::now(), colours));
}

/// One line about a job: `word-count 1,234/5,000 datums, 3 failed, 40/s, 1m 34s left`.
fn line(snapshot: &Snapshot, now: Timestamp, colours: Palette) -> String {
    format!(
        "{} {}",
        snapshot.record.pipeline,
        progress(snapshot, now, colours)
    )
}

fn waiting(snapshot: &Snapshot) -> String {
    format!(
        "waiting for another job of pipeline {} on this machine to end (--no-wait refuses instead)",
        snapshot.record.pipeline
    )
}

/// Text about a job at one moment.
fn progress(snapshot: &Snapshot, now: Timestamp, colours: Palette) -> String {
    let state = snapshot.record.state;
    if let (JobState::Publishing | JobState::Egressing, Some(files)) = (state, snapshot.files) {
        let verb = if state == JobState::Publishing {
            "publishing"
        } else {
            "copying"
        };
        return format!(
            "{verb} the output, {}/{} files",
            count(files.done),
            count(files.total)
        );
    }
    if snapshot.waiting_for_lock {
        return "waiting for another job of this pipeline".to_owned();
    }
    let datums = &snapshot.record.datums;
    if datums.total == 0 && !snapshot.expanded {
        return "listing and hashing the inputs".to_owned();
    }
    let open_end = if snapshot.expanded { "" } else { "+" };
    let mut parts = vec![format!(
        "{}/{}{open_end} datums",
        count(datums.ended()),
        count(datums.total)
    )];
    if datums.skipped > 0 {
        parts.push(format!("{} skipped", count(datums.skipped)));
    }
    if datums.failed > 0 {
        parts.push(colours.bad(format!("{} failed", count(datums.failed))));
    }
    if datums.recovered > 0 {
        parts.push(colours.warning(format!("{} recovered", count(datums.recovered))));
    }
    if snapshot.rate > MIN_RATE {
        parts.push(rate(snapshot.rate));
    }
    parts.extend(time_left(snapshot).map(|left| format!("{left} left")));
    parts.extend(longest(snapshot, now));
    parts.join(", ")
}

fn rate(per_second: f64) -> String {
    match per_second {
        slow if slow < 1.0 => format!("{:.1}/min", slow * 60.0),
        medium if medium < 10.0 => format!("{medium:.1}/s"),
        fast => format!("{fast:.0}/s"),
    }
}

/// Estimated remaining time, once all datums are known.
fn time_left(snapshot: &Snapshot) -> Option<String> {
    let outstanding = snapshot.record.datums.outstanding();
    let is_known = snapshot.expanded && snapshot.rate > MIN_RATE && outstanding > 0;
    #[expect(
        clippy::cast_precision_loss,
        reason = "an estimate; no job has 2^52 datums"
    )]
    is_known.then(|| seconds(outstanding as f64 / snapshot.rate))
}

/// The oldest running datum, if it runs for long.
fn longest(snapshot: &Snapshot, now: Timestamp) -> Option<String> {
    let oldest = snapshot.running.first()?;
    let time = now.duration_since(oldest.since);
    let attempt = if oldest.attempt > 1 {
        format!(", attempt {}", oldest.attempt)
    } else {
        String::new()
    };
    (time > LONG_RUNNING).then(|| format!("datum {} for {}{attempt}", oldest.index, length(time)))
}

#[cfg(test)]
mod tests {
    use drover_shared::id::WorkerId;
    use drover_shared::job::{Counts, JobRecord};

    use super::*;
    use drover_core::coordinator::RunningDatum;
    use drover_core::output::FileProgress;

    fn snapshot() -> Snapshot {
        let created: Timestamp = "2026-11-23T18:00:00Z".parse().unwrap();
        let id = "01j9zzzzzzzzzzzzzzzzzzzzzz".parse().unwrap();
        let mut snapshot = Snapshot::new(JobRecord::new(id, "count".parse().unwrap(), created));
        snapshot.record.state = JobState::Running;
        snapshot.record.datums = Counts {
            total: 5000,
            processed: 1200,
            skipped: 30,
            failed: 4,
            recovered: 0,
        };
        snapshot
    }

    fn text(snapshot: &Snapshot) -> String {
        line(
            snapshot,
            "2026-11-23T18:02:00Z".parse().unwrap(),
            Palette::plain(),
        )
    }

    #[test]
    fn a_line_tells_counts_rate_and_the_time_left() {
        let mut running = snapshot();
        assert_eq!(
            text(&running),
            "count 1,234/5,000+ datums, 30 skipped, 4 failed"
        );
        running.expanded = true;
        running.rate = 40.04;
        assert_eq!(
            text(&running),
            "count 1,234/5,000 datums, 30 skipped, 4 failed, 40/s, 1m 34s left"
        );
        running.rate = 0.05;
        assert_eq!(
            text(&running),
            "count 1,234/5,000 datums, 30 skipped, 4 failed, 3.0/min, 20h 55m left"
        );
    }

    #[test]
    fn a_datum_that_takes_long_is_named() {
        let mut running = snapshot();
        let since = "2026-11-23T18:01:20Z".parse().unwrap();
        let worker = WorkerId::generate("host");
        running.running.push(RunningDatum {
            index: 17,
            attempt: 2,
            worker,
            since,
        });
        assert_eq!(
            text(&running),
            "count 1,234/5,000+ datums, 30 skipped, 4 failed, datum 17 for 40.0s, attempt 2"
        );
    }

    #[test]
    fn publishing_counts_files() {
        let mut publishing = snapshot();
        publishing.record.state = JobState::Publishing;
        publishing.files = Some(FileProgress {
            done: 10,
            total: 1500,
        });
        assert_eq!(
            text(&publishing),
            "count publishing the output, 10/1,500 files"
        );
    }

    #[tokio::test]
    async fn following_ends_with_the_job() {
        let (sender, receiver) = tokio::sync::watch::channel(snapshot());
        let console = Console {
            quiet: false,
            format: Format::Json,
            out: Palette::plain(),
            err: Palette::plain(),
        };
        let end =
            async { sender.send_modify(|snapshot| snapshot.record.state = JobState::Success) };
        tokio::join!(follow(receiver, CancellationToken::new(), console), end);
    }
}
