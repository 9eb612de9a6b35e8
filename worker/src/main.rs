//! The worker's binary.

use std::process::ExitCode;

use drover_worker::runner;

fn main() -> ExitCode {
    if let Some(code) = runner::take_over() {
        return code;
    }
    ExitCode::SUCCESS
}
