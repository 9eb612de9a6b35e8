//! The worker's binary: parses the command line, runs the worker, and exits with a documented code.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use drover_shared::process::{Lifecycle, ShutdownOutcome, host_name, telemetry};
use drover_shared::store::bound_transfer_memory;
use drover_worker::process::args::{self, Args};
use drover_worker::process::exit::Exit;
use drover_worker::process::request::WorkerRequest;
use drover_worker::process::{hardening, init, service, subcommand};
use drover_worker::runner;

/// How long hanging calls into the store may delay the end of the process.
const LAST_CALLS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    hardening::harden();
    // A runner is this binary, started by the worker. Checked first: a runner must stay single-threaded.
    if let Some(code) = runner::take_over().or_else(subcommand::take_over) {
        return code;
    }
    if let Some(code) = init::take_over() {
        return code;
    }
    let args = match args::parse() {
        Ok(args) => args,
        Err(refusal) => return args::refuse(&refusal).into(),
    };
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => {
            let exit = runtime.block_on(run(args));
            runtime.shutdown_timeout(LAST_CALLS);
            exit.into()
        }
        Err(_) => Exit::Unfit.into(),
    }
}

async fn run(args: Args) -> Exit {
    let _telemetry = telemetry::start("drover-worker", &args.log, args.log_format.into());
    let grace = args.grace;
    bound_transfer_memory(args.transfer_memory);
    let base = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let request = match WorkerRequest::of(args, &base, &host_name()) {
        Ok(request) => request,
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            return Exit::Usage;
        }
    };
    let Ok(life) = Lifecycle::new(grace) else {
        tracing::error!("this process cannot listen for signals");
        return Exit::Unfit;
    };
    let worker = life.spawn_main(service::run(request, life.tokens()));
    if life.run().await == ShutdownOutcome::CutShort {
        tracing::warn!(
            "cut short: running commands were killed, the broker redelivers their datums"
        );
        return Exit::CutShort;
    }
    match worker.await {
        Ok(Ok(())) => Exit::Drained,
        Ok(Err(error)) => {
            let cause: &(dyn std::error::Error + 'static) = error.as_ref();
            tracing::error!(error = cause, "the worker ends");
            Exit::from(&error)
        }
        // A panic; its message is on standard error.
        Err(_) => Exit::Unfit,
    }
}
