//! `next-datum`, the program that a `datum_batching` command calls to get its next datum: our own binary under another
//! name.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use super::socket::{NextDatumMessage, send};

/// Program name of `next-datum`.
pub(in crate::runner) const NAME: &str = "next-datum";

/// Environment variable with the directory of the socket.
pub const NEXT_DATUM: &str = "DROVER_NEXT_DATUM";

/// Says that the current datum is done, waits for the next one, and exits when its files are at /pfs
#[derive(Parser)]
#[command(
    name = NAME,
    after_help = "The variables of the datum are in /pfs/.env then. After the last datum, whoever calls this is ended.\n\
                  Exit codes: 0 a datum is there, or its failure is noted; 2 there is nobody to ask."
)]
struct Args {
    /// Say only that the current datum has failed, and why; the next call asks for another datum
    #[arg(long, value_name = "MESSAGE")]
    error: Option<OsString>,
    /// Directory of the socket
    #[arg(long, env = NEXT_DATUM, hide = true)]
    at: Option<PathBuf>,
}

/// Runs `next-datum` if the process has that program name, and returns the exit code.
pub(in crate::runner) fn take_over() -> Option<ExitCode> {
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
