//! The `drover` command: read what was typed, carry it out, exit with a code that scripts can rely on.

use std::process::ExitCode;

use drover::args::Cli;
use drover::exit::Exit;
use drover::{args, commands};
use drover_worker::runner;

fn main() -> ExitCode {
    // A runner is this very binary, started by itself: it must be single-threaded and see no other argument.
    if let Some(code) = runner::take_over() {
        return code;
    }
    match args::parse() {
        Ok(cli) => run(cli).into(),
        Err(refusal) => commands::refuse(&refusal).into(),
    }
}

#[tokio::main]
async fn run(cli: Cli) -> Exit {
    Box::pin(commands::carry_out(cli)).await
}
