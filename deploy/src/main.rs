//! The operator's binary: parse the arguments, run, and exit with a code that tells the outcome.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use drover_operator::crd;
use drover_operator::process::{self, Args, OperatorConfig, OperatorSubcommand};
use drover_shared::process::{Lifecycle, ShutdownOutcome, telemetry};
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;

/// Time for running reconciliations to finish after a stop signal.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(20);

const UNFIT: u8 = 1;
const USAGE: u8 = 2;
const UNREACHABLE: u8 = 4;

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(refusal) => return refuse(&refusal),
    };
    if let Some(OperatorSubcommand::Crd) = args.subcommand {
        return print_crd();
    }
    let _telemetry = telemetry::start("drover-operator", &args.log, args.log_format.into());
    match OperatorConfig::of(args) {
        Ok(config) => run(config).await,
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            USAGE.into()
        }
    }
}

async fn run(config: OperatorConfig) -> ExitCode {
    let Ok(life) = Lifecycle::new(SHUTDOWN_GRACE) else {
        tracing::error!("cannot install signal handlers");
        return UNFIT.into();
    };
    let operator = life.spawn_main(process::run(config, life.tokens()));
    if life.run().await == ShutdownOutcome::CutShort && !operator.is_finished() {
        return UNFIT.into();
    }
    match operator.await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            let cause: &(dyn std::error::Error + 'static) = error.as_ref();
            tracing::error!(error = cause, "the operator exits");
            exit_of(&error)
        }
        // A panic has already printed its message.
        Err(_) => UNFIT.into(),
    }
}

fn exit_of(error: &anyhow::Error) -> ExitCode {
    let is_remote = error
        .chain()
        .any(|cause| cause.is::<StoreError>() || cause.is::<QueueError>());
    if is_remote { UNREACHABLE } else { UNFIT }.into()
}

fn print_crd() -> ExitCode {
    let printed = crd::to_yaml(&crd::definition())
        .map_err(io::Error::other)
        .and_then(|yaml| io::stdout().write_all(yaml.as_bytes()));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => UNFIT.into(),
    }
}

fn refuse(refusal: &clap::Error) -> ExitCode {
    let _ = refusal.print();
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => USAGE.into(),
    }
}
