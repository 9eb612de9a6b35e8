//! Dispatches a parsed command line to its command, and reports errors.

use drover_shared::ledger::ReferenceError;
use drover_shared::process::telemetry;

use super::class::ErrorClass;
use super::cluster::{probe, publish, serve};
use super::context::store_above;
use super::inspect::{datums, explain, job, jobs, logs, report as job_report, stop, wait};
use super::pipelines::registry;
use super::run::{local_run, retry};
use super::spec::{completions, import, man, manifest, plan, schema, validate};
use super::store::{du, gc, limits, put, redo, share, verify, workers};
use super::{Context, UsageError};
use crate::args::{self, Cli, Command, Format};
use crate::exit::Exit;
use crate::render::{self, Console};

/// Executes a command and reports an error on standard error.
pub async fn execute(cli: Cli) -> Exit {
    let console = Console::new(cli.common.output);
    let is_service = matches!(cli.command, Command::Serve(_));
    let is_usual = cli.common.verbose == 0 && cli.common.log == args::DEFAULT_LOG;
    let format = match cli.common.output {
        Format::Text if is_usual && !is_service => telemetry::Format::Sentences,
        Format::Text => telemetry::Format::Text,
        Format::Json => telemetry::Format::Json,
    };
    let level = match cli.common.verbose {
        0 => cli.common.log.as_str(),
        1 => "info",
        _ => "debug",
    };
    let _telemetry = telemetry::start("drover", level, format);
    let store = cli.common.store.clone();
    match dispatch(cli).await {
        Ok(exit) => exit,
        Err(error) => {
            let class = ErrorClass::of(&error);
            if class.exit != Exit::Success {
                report(&error, class, console);
                if let Some(ReferenceError::NoJobs) = error.downcast_ref()
                    && let Some(above) = store_above(&store)
                {
                    console.message(format!(
                        "there is a store in a folder above: --store {above}"
                    ));
                }
            }
            class.exit
        }
    }
}

/// Prints clap's error, or the requested help.
pub fn refuse(refusal: clap::Error) -> Exit {
    if args::is_help(&refusal) {
        let _ = refusal.print();
        return Exit::Success;
    }
    let advice = args::advice(&refusal, &args::typed_words());
    let refusal = match advice {
        Some(_) => args::without_guess(refusal),
        None => refusal,
    };
    if args::wants_json() {
        render::usage_as_json(
            &refusal.to_string(),
            advice.as_deref(),
            Console::new(Format::Json),
        );
        return Exit::Usage;
    }
    render::usage(&refusal, advice.as_deref(), Console::new(Format::Text));
    Exit::Usage
}

async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let context = Context::new(&cli.common)?;
    match cli.command {
        Command::Run(typed) => local_run::run(&typed, &context).await,
        Command::Publish(typed) => publish::publish(&typed, &context).await,
        Command::Serve(typed) => serve::serve(&typed, &context).await,
        Command::Create(typed) => registry::create(&typed, &context).await,
        Command::Update(typed) => registry::update(&typed, &context).await,
        Command::Delete(typed) => registry::delete(&typed, &context).await,
        Command::Pause(typed) => registry::pause(&typed, &context).await,
        Command::Resume(typed) => registry::resume(&typed, &context).await,
        Command::Pipelines(typed) => registry::pipelines(&typed, &context).await,
        Command::Plan(typed) => plan::plan(&typed, &context).await,
        Command::Validate(typed) => validate::validate(&typed, &context),
        Command::Schema => schema::schema(&context),
        Command::Manifest(typed) => manifest::manifest(&typed, &context),
        Command::Import(typed) => import::import(&typed, &context),
        Command::Jobs(typed) => jobs::jobs(&typed, &context).await,
        Command::Job(typed) => job::job(&typed, &context).await,
        Command::Datums(typed) => datums::datums(&typed, &context).await,
        Command::Logs(typed) => logs::logs(&typed, &context).await,
        Command::Wait(typed) => wait::wait(&typed, &context).await,
        Command::Stop(typed) => stop::stop(&typed, &context).await,
        Command::Retry(typed) => retry::retry(&typed, &context).await,
        Command::Report(typed) => job_report::report(&typed, &context).await,
        Command::Verify(typed) => verify::verify(&typed, &context).await,
        Command::Redo(typed) => redo::redo(&typed, &context).await,
        Command::Gc(typed) => gc::gc(&typed, &context).await,
        Command::Put(typed) => put::put(&typed, &context).await,
        Command::Du(typed) => du::du(&typed, &context).await,
        Command::Limit(typed) => limits::limits(&typed, &context).await,
        Command::Share(typed) => share::share(&typed, &context).await,
        Command::Workers => workers::workers(&context).await,
        Command::Explain(typed) => explain::explain(&typed, &context).await,
        Command::Completions(typed) => completions::completions(&typed, &context),
        Command::Probe(typed) => probe::probe(&typed),
        Command::Man(typed) => man::man(&typed, &context),
    }
}

fn report(error: &anyhow::Error, class: ErrorClass, console: Console) {
    let (findings, sources) = match error.downcast_ref() {
        Some(UsageError::Spec { findings, sources }) => (findings.as_slice(), sources.as_slice()),
        _ => (&[][..], &[][..]),
    };
    render::error(class.kind, error, findings, sources, console);
}
