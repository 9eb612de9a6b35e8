//! When jobs end before the last datum.

use std::num::NonZeroU32;
use std::str::FromStr;

use drover_shared::job::{Halt, InvalidHalt};

/// Flags for an early end of a job.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Early end")]
pub struct EarlyEnd {
    /// Go on although the first datums (20, or twice the slots) all fail for one cause
    #[arg(long)]
    pub keep_going: bool,

    /// End the job at the first failed datum, and the commands that run; as `--halt now,fail=1`
    #[arg(long, conflicts_with_all = ["keep_going", "halt"])]
    pub fail_fast: bool,

    /// End the job once so many datums have failed, succeeded or ended, as GNU parallel spells it, for example `soon,fail=1`
    ///
    /// `now` ends the commands that run; `soon` lets them go on, and begins no other. Then `fail=`, `success=` or `done=`, and a
    /// number or a share such as `10%`, of the datums that the job has to run. `never` is `--keep-going`. The short forms of
    /// GNU parallel are taken, too: 0, 1, 2, -1, -2 and `10%`. A job that is halted publishes nothing; what succeeded is skipped
    /// by the next one.
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub halt: Option<HaltChoice>,
}

/// Flags for a trial: some datums before the rest.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Early end")]
pub struct Trial {
    /// Run N datums first, from 3 to 1000, and tell what the whole job will need; then go on, or ask on a terminal
    ///
    /// The smallest, the largest and a spread between, by the size of the inputs. The first datums form a separate job, which publishes nothing
    /// and estimates time, memory, output and failures of the whole job, with bounds. The whole job then skips the datums that
    /// succeeded. If all first datums failed, the whole job does not begin without `--keep-going`. On a broker nothing is
    /// asked, and the whole job begins in any case.
    #[arg(long, value_name = "N", value_parser = first)]
    pub first: Option<NonZeroU32>,

    /// End after the datums of `--first`
    #[arg(long, requires = "first")]
    pub first_only: bool,
}

/// The fewest datums tell a smallest, a largest and one between.
fn first(text: &str) -> Result<NonZeroU32, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (3..=1000).contains(number));
    let number = number.and_then(NonZeroU32::new);
    number.ok_or_else(|| "write a number from 3 to 1000".to_owned())
}

/// A condition, or none for `never`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HaltChoice(Option<Halt>);

impl FromStr for HaltChoice {
    type Err = InvalidHalt;

    fn from_str(text: &str) -> Result<Self, InvalidHalt> {
        Halt::parse(text).map(Self)
    }
}

impl EarlyEnd {
    /// True if equal failures of the first datums do not end the job.
    pub fn keeps_going(&self) -> bool {
        self.keep_going || self.halt == Some(HaltChoice(None))
    }

    /// The condition that ends the job.
    pub fn halt(&self) -> Option<Halt> {
        let first_failure = self.fail_fast.then_some(Halt::FIRST_FAILURE);
        first_failure.or_else(|| self.halt.and_then(|choice| choice.0))
    }
}
