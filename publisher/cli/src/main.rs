//! The `drover` command: parses the command line, executes the command, and exits with a documented code.

use std::process::ExitCode;

use drover::args::Cli;
use drover::exit::Exit;
use drover::{args, commands};
use drover_worker::process::hardening;
use drover_worker::runner;

fn main() -> ExitCode {
    hardening::harden();
    // A runner is the same binary, started by itself. A runner must be single-threaded and sees no other argument.
    if let Some(code) = runner::take_over() {
        return code;
    }
    commands::answer_shell();
    match args::parse() {
        Ok(cli) => run(cli).into(),
        Err(refusal) => commands::refuse(refusal).into(),
    }
}

#[tokio::main]
async fn run(cli: Cli) -> Exit {
    Box::pin(commands::execute(cli)).await
}
