//! Connections to the broker.

use std::time::Duration;

use drover_shared::ledger::Ledger;
use drover_shared::pipeline::{Pipeline, SetRule};
use drover_shared::process::process_name;
use drover_shared::queue::rabbitmq::{
    Advice, ConnectOptions, PublishConnections, RabbitMq, preflight,
};

use crate::commands::{Context, UsageError};

/// Connects to the broker of the flag or variable, to submit or lead jobs of the store. The first command to do so gives
/// the store its identity.
pub(crate) async fn connect(context: &Context, ledger: &Ledger) -> anyhow::Result<RabbitMq> {
    connect_with(context, ledger, PublishConnections::ONE).await
}

/// Connects with a pool of publishing connections.
pub(crate) async fn connect_with(
    context: &Context,
    ledger: &Ledger,
    publish_connections: PublishConnections,
) -> anyhow::Result<RabbitMq> {
    let broker = reach(context, publish_connections).await?;
    Ok(broker.for_store(Some(ledger.ensure_identity().await?)))
}

/// Connects to the broker of the flag or variable, to look at the queues of the store.
pub(crate) async fn connect_to_look(
    context: &Context,
    ledger: &Ledger,
) -> anyhow::Result<RabbitMq> {
    let broker = reach(context, PublishConnections::ONE).await?;
    Ok(broker.for_store(ledger.identity().await?))
}

async fn reach(
    context: &Context,
    publish_connections: PublishConnections,
) -> anyhow::Result<RabbitMq> {
    let choice = &context.broker;
    let url = choice.url.as_ref().ok_or(UsageError::NoBroker)?;
    let address = url.address()?;
    let options = ConnectOptions {
        time_limit: choice.timeout,
        publish_connections,
    };
    Ok(RabbitMq::connect(&address, &process_name(), options).await?)
}

/// Connects if a broker is named; reports a failure as a message and returns none. For commands that work without a
/// broker too.
pub(crate) async fn connect_if_named(context: &Context, ledger: &Ledger) -> Option<RabbitMq> {
    context.broker.url.as_ref()?;
    match connect_to_look(context, ledger).await {
        Ok(broker) => Some(broker),
        Err(error) => {
            context
                .console
                .message(format!("continuing without the broker: {error:#}"));
            None
        }
    }
}

/// Refuses a broker that cannot serve the pipeline, and prints each warning once in the life of the store.
pub(crate) async fn check(
    broker: &RabbitMq,
    pipeline: &Pipeline,
    ledger: &Ledger,
    context: &Context,
) -> anyhow::Result<()> {
    for advice in preflight(&broker.version(), longest(pipeline)) {
        match advice {
            Advice::Refusal(problem) => {
                let pipeline = pipeline.name.clone();
                return Err(UsageError::Unfit { pipeline, problem }.into());
            }
            Advice::Warning(warning) => {
                let warning = format!("warning: {}: {warning}", pipeline.name);
                if ledger.is_first_notice(&warning).await? {
                    context.console.message(warning);
                }
            }
        }
    }
    Ok(())
}

/// Longest time for which a worker may hold a message of the pipeline unacked: the messages before it are processed
/// first, and its own datums run in sequence. None without a limit.
fn longest(pipeline: &Pipeline) -> Option<Duration> {
    let commands = pipeline.datum_tries.get() + u32::from(!pipeline.transform.err_cmd.is_empty());
    let datums = match pipeline.datum_set {
        SetRule::Automatic => 1,
        SetRule::Number(number) => number.get(),
        SetRule::SizeBytes(_) | SetRule::PerWorker(_) => return None,
    };
    let messages = pipeline.look_ahead.saturating_add(1);
    [commands, datums, messages]
        .into_iter()
        .try_fold(pipeline.datum_timeout?, Duration::checked_mul)
}

#[cfg(test)]
mod tests {
    use drover_shared::pipeline;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_waits_for_all_that_a_slot_does_before_it_is_answered() {
        for (fields, expected) in [
            (json!({}), None),
            (json!({"datum_timeout": "1m"}), Some(3 * 3)),
            (json!({"datum_timeout": "1m", "max_queue_size": 0}), Some(3)),
            (
                json!({"datum_timeout": "1m", "datum_tries": 1, "err_cmd": ["true"]}),
                Some(2 * 3),
            ),
            (
                json!({"datum_timeout": "1m", "datum_set_spec": {"number": 16}}),
                Some(3 * 3 * 16),
            ),
            (
                json!({"datum_timeout": "1m", "datum_set_spec": {"size_bytes": 9}}),
                None,
            ),
        ] {
            let mut spec = json!({
                "pipeline": {"name": "p"},
                "transform": {"cmd": ["true"]},
                "input": {"pfs": {"repo": "in", "glob": "/*"}},
            });
            for (field, value) in fields.as_object().unwrap() {
                let transform = spec["transform"].as_object_mut().unwrap();
                if field == "err_cmd" {
                    transform.insert(field.clone(), value.clone());
                } else {
                    spec[field] = value.clone();
                }
            }
            let parsed = pipeline::parse("p.json", &spec.to_string()).unwrap();
            let minutes = longest(&parsed[0].pipeline).map(|longest| longest.as_secs() / 60);
            assert_eq!(minutes, expected, "{fields}");
        }
    }
}
