//! The operator's binary: read what was typed, work, exit with a code that says how it ended.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use drover_operator::args::{Args, OperatorSubcommand};
use drover_operator::crd;
use drover_operator::request::Request;
use drover_operator::service::{self, ServiceError};
use drover_shared::process::{Lifecycle, ShutdownOutcome, telemetry};

/// How long looks that are under way may be finished.
const GRACE: Duration = Duration::from_secs(20);

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
    match Request::of(args) {
        Ok(request) => run(request).await,
        Err(problems) => {
            for problem in problems {
                tracing::error!("{problem}");
            }
            USAGE.into()
        }
    }
}

async fn run(request: Request) -> ExitCode {
    let Ok(life) = Lifecycle::new(GRACE) else {
        tracing::error!("this process cannot listen for signals");
        return UNFIT.into();
    };
    let operator = life.spawn_main(service::run(request, life.tokens()));
    if life.run().await == ShutdownOutcome::CutShort && !operator.is_finished() {
        return UNFIT.into();
    }
    match operator.await {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the operator ends"
            );
            match error {
                ServiceError::Store(_) | ServiceError::Broker(_) => UNREACHABLE.into(),
                ServiceError::Listen { .. }
                | ServiceError::Cluster(_)
                | ServiceError::Deposed(_) => UNFIT.into(),
            }
        }
        // A panic, which has spoken for itself.
        Err(_) => UNFIT.into(),
    }
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
