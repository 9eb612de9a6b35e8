//! A trial: the first datums of a job, before the rest.

use std::io::{IsTerminal, stderr, stdin};

use drover_core::catalog;
use drover_core::coordinator::{Assignment, Scope};
use drover_shared::job::{JobRecord, JobState};
use tokio::sync::oneshot;

use crate::args::{Format, Trial};
use crate::render::{Console, counted};

impl Trial {
    /// The job of the first datums of `whole`; none without `--first`.
    pub(crate) fn of(self, whole: &Assignment) -> Option<Assignment> {
        let number = self.first?;
        Some(Assignment {
            keep_going: whole.keep_going,
            halt: whole.halt,
            trace: whole.trace.clone(),
            ..Assignment::new(
                whole.pipeline.clone(),
                whole.spec.clone(),
                Scope::First(number),
                whole.reprocess,
            )
        })
    }

    /// The jobs for the broker: each after its trial. With `--first-only`, the trials of pipelines that do not read the output of an
    /// earlier pipeline, which has none.
    pub(crate) fn jobs(self, wholes: Vec<Assignment>) -> Vec<Assignment> {
        let mut jobs: Vec<Assignment> = Vec::new();
        for whole in wholes {
            let reads = |other: &Assignment| catalog::reads(&whole.pipeline, &other.pipeline.name);
            if self.first_only && jobs.iter().any(reads) {
                continue;
            }
            jobs.extend(self.of(&whole));
            if !self.first_only {
                jobs.push(whole);
            }
        }
        jobs
    }
}

/// True if the whole job may begin after the first datums: some succeeded, or failures do not matter.
pub(crate) fn may_go_on(first: &JobRecord, keeps_going: bool) -> bool {
    let all_ended = first.datums.outstanding() == 0;
    match first.state {
        JobState::Killed => first.ended_as_told && all_ended,
        JobState::Failure => all_ended && (keeps_going || first.datums.processed > 0),
        _ => false,
    }
}

/// Asks on a terminal whether the whole job is to begin; true without a terminal.
pub(crate) async fn is_wanted(first: &JobRecord, console: Console) -> bool {
    let rest = first
        .first
        .map_or(0, |it| it.of.datums.saturating_sub(first.datums.processed));
    let is_asked =
        console.format == Format::Text && stdin().is_terminal() && stderr().is_terminal();
    if !is_asked || rest == 0 {
        return true;
    }
    console.error(format!("go on with {}? [Y/n]", counted(rest, "datum")));
    let (sender, answer) = oneshot::channel();
    // On a thread of its own, as the runtime would wait for the line in the end.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = stdin().read_line(&mut line);
        let _ = sender.send(read.is_ok_and(|length| length > 0) && is_yes(&line));
    });
    answer.await.unwrap_or(false)
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_is_a_yes_and_all_but_a_yes_is_a_no() {
        for (line, yes) in [
            ("\n", true),
            ("Y\n", true),
            ("yes\n", true),
            ("n\n", false),
            ("later\n", false),
        ] {
            assert_eq!(is_yes(line), yes, "{line:?}");
        }
    }
}
