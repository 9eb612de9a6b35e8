//! The broker that a command line names.

use std::time::Duration;

use drover_shared::pipeline::Pipeline;
use drover_shared::process::process_name;
use drover_shared::queue::rabbitmq::{Address, Advice, RabbitMq, preflight};

use super::{CommandError, Context};

/// Connects to the broker that was named, by flag or variable.
pub(super) async fn connect(context: &Context) -> Result<RabbitMq, CommandError> {
    let choice = &context.broker;
    let url = choice.url.as_deref().ok_or(CommandError::NoBroker)?;
    let address: Address = url.parse()?;
    Ok(RabbitMq::connect(&address, &process_name(), choice.patience).await?)
}

/// The broker, if one was named and answers; for commands that can do without. Why not, is told.
pub(super) async fn connect_if_named(context: &Context) -> Option<RabbitMq> {
    context.broker.url.as_ref()?;
    match connect(context).await {
        Ok(broker) => Some(broker),
        Err(error) => {
            context.console.talk(format!("without the broker: {error}"));
            None
        }
    }
}

/// Refuses a broker that is not fit for the pipeline, and tells what else is good to know about it.
pub(super) fn check(
    broker: &RabbitMq,
    pipeline: &Pipeline,
    context: &Context,
) -> Result<(), CommandError> {
    for advice in preflight(&broker.version(), longest(pipeline)) {
        match advice {
            Advice::Refusal(problem) => {
                return Err(CommandError::Unfit {
                    pipeline: pipeline.name.clone(),
                    problem,
                });
            }
            Advice::Warning(warning) => context
                .console
                .talk(format!("warning: {}: {warning}", pipeline.name)),
        }
    }
    Ok(())
}

/// How long a message of the pipeline may stay unanswered in a worker's hands: while datums before it are run, and
/// while its own is. None: for any time.
fn longest(pipeline: &Pipeline) -> Option<Duration> {
    let attempts = pipeline
        .datum_timeout?
        .checked_mul(pipeline.datum_tries.get())?;
    attempts.checked_mul(pipeline.look_ahead.saturating_add(1))
}
