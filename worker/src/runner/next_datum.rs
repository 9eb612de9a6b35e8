//! `next-datum`: what a command that stays for datum after datum calls for its next one. It is this very binary by
//! another name.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::command::{NextDatumMessage, send};

/// The name that makes a process of our binaries this one.
pub(super) const NAME: &str = "next-datum";

/// The variable that tells it where to ask.
pub const NEXT_DATUM: &str = "DROVER_NEXT_DATUM";

/// Says that the datum in hand is done, waits for the next one, and ends when that is at /pfs
#[derive(Parser)]
#[command(
    name = NAME,
    after_help = "The variables of the datum are in /pfs/.env then. After the last datum, whoever calls this is ended.\n\
                  Exit codes: 0 a datum is there, or its failure is noted; 2 there is nobody to ask."
)]
struct Args {
    /// Say only that the datum in hand has failed, for this reason; the next call asks for another
    #[arg(long, value_name = "MESSAGE")]
    error: Option<OsString>,
    /// Where to ask
    #[arg(long, env = NEXT_DATUM, hide = true)]
    at: Option<PathBuf>,
}

/// If this process was started as `next-datum`, is it to its end.
pub(super) fn take_over() -> Option<ExitCode> {
    let called = PathBuf::from(std::env::args_os().next()?);
    (called.file_name()? == NAME).then(|| match Args::try_parse() {
        Ok(args) => next(args),
        Err(other) => {
            let _ = other.print();
            u8::try_from(other.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    })
}

fn next(args: Args) -> ExitCode {
    let Some(place) = args.at else {
        return refuse(&format!(
            "{NEXT_DATUM} is not set; {NAME} is for the commands of pipelines with `datum_batching: true`"
        ));
    };
    let failed = args.error.filter(|message| !message.is_empty());
    let word = failed.map_or(NextDatumMessage::Next, |message| {
        NextDatumMessage::Failed(message.to_string_lossy().into_owned())
    });
    match send(&place, &word) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("there is nobody to ask: {error}")),
    }
}

fn refuse(problem: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{NAME}: {problem}");
    ExitCode::from(2)
}
