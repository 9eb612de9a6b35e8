//! Queues and exchange as data: names, kinds, arguments. They never vary with a job or a spec, so repeated
//! declarations never clash.

use std::time::Duration;

use lapin::types::{AMQPValue, FieldTable};

use crate::id::PipelineName;
use crate::ledger::StoreIdentity;
use crate::queue::Queue;

/// The exchange that copies broadcasts to every listener.
pub(super) const CONTROL: &str = "drover.control";

/// Deliveries without an ack after which the broker dead-letters a message. A safety net, far above Drover's own
/// limits; set explicitly because the default differs between brokers (3.10: unlimited, 4.0: 20).
const DELIVERY_LIMIT: i64 = 10_000;

/// Consumer timeout, on brokers that allow a queue to set it (3.12 and later). A datum may run for days; a dead worker
/// is noticed by the lost connection instead.
pub(super) const CONSUMER_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Declaration of a queue; all queues are durable quorum queues.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Declaration {
    pub(super) queue: Queue,
    pub(super) arguments: FieldTable,
}

/// The queues of a pipeline in the order of declaration: the dead queue comes first, because the other queues refer to
/// it.
pub(super) fn queues(pipeline: &PipelineName) -> [Declaration; 3] {
    let dead = Queue::Dead(pipeline.clone());
    let with_dead = dead_letters_to(&dead);
    let mut one_at_a_time = with_dead.clone();
    one_at_a_time.push(("x-single-active-consumer", true.into()));
    [
        declaration(dead, Vec::new()),
        declaration(Queue::Datums(pipeline.clone()), with_dead),
        declaration(Queue::Reports(pipeline.clone()), one_at_a_time),
    ]
}

/// The exchange that records the store of a pipeline's queues: no message ever passes it. `RabbitMQ` compares one argument
/// of an exchange with that of an earlier declaration, its alternate exchange, so the text in that argument decides in
/// one step, on all nodes of a cluster, who came first. The exchange is bound to the datums queue and deletes itself with
/// that queue.
pub(super) fn owner_name(pipeline: &PipelineName) -> String {
    format!("drover.{pipeline}.store")
}

/// The argument that names the store. A refusal quotes both texts within 255 bytes, so the location is cut.
pub(super) fn owner_arguments(owner: &StoreIdentity) -> FieldTable {
    let mut arguments = FieldTable::default();
    let value = format!("drover.{}@{}", owner.id, tail(&owner.made_at));
    arguments.insert("alternate-exchange".into(), text(&value));
    arguments
}

/// The store that a refusal of [`owner_arguments`] names as the present one; cut where the broker cut its reply.
pub(super) fn refused_by(reply: &str) -> Option<String> {
    let (_, current) = reply
        .split_once("alternate-exchange")?
        .1
        .split_once("current is ")?;
    let (_, owner) = current.split_once("drover.")?;
    let owner = owner.split('\'').next()?.trim_end_matches('.');
    Some(match owner.split_once('@') {
        Some((id, made_at)) => format!("{id} (made at …{made_at})"),
        None => owner.to_owned(),
    })
}

/// The last characters of a location.
fn tail(location: &str) -> &str {
    const MOST: usize = 20;
    let ascii: &str = if location.is_ascii() { location } else { "" };
    &ascii[ascii.len().saturating_sub(MOST)..]
}

/// Name of a listener's own queue. A server-made name would change when the queue is declared again after a lost
/// connection.
pub(super) fn control_name(listener: &str) -> String {
    format!("drover.{listener}.control")
}

/// Destination of rejected messages; none for the dead queue.
pub(super) fn dead_queue(of: &Queue) -> Option<Queue> {
    match of {
        Queue::Datums(pipeline) | Queue::Reports(pipeline) => Some(Queue::Dead(pipeline.clone())),
        Queue::Dead(_) => None,
    }
}

type Argument = (&'static str, AMQPValue);

/// Dead-lettering at least once: the dead queue confirms a message before its removal. At-least-once requires
/// `reject-publish`, which has no other effect on a queue without a maximum length.
fn dead_letters_to(dead: &Queue) -> Vec<Argument> {
    vec![
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(&dead.to_string())),
        ("x-dead-letter-strategy", text("at-least-once")),
        ("x-overflow", text("reject-publish")),
    ]
}

fn declaration(queue: Queue, special: Vec<Argument>) -> Declaration {
    let timeout_ms = i64::try_from(CONSUMER_TIMEOUT.as_millis()).unwrap_or(i64::MAX);
    let common = [
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongLongInt(DELIVERY_LIMIT)),
        ("x-consumer-timeout", AMQPValue::LongLongInt(timeout_ms)),
    ];
    let mut arguments = FieldTable::default();
    for (name, value) in common.into_iter().chain(special) {
        arguments.insert(name.into(), value);
    }
    Declaration { queue, arguments }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipeline() -> PipelineName {
        "words".parse().unwrap()
    }

    /// Queues outlive versions of Drover: a change of an argument needs a migration for old queues.
    #[test]
    fn the_arguments_stay_what_they_are() {
        let shown: Vec<_> = queues(&pipeline())
            .iter()
            .map(|each| {
                let arguments = each.arguments.inner().iter();
                let arguments = arguments.map(|(name, value)| format!("{name}={}", plain(value)));
                format!(
                    "{}: {}",
                    each.queue,
                    arguments.collect::<Vec<_>>().join(" ")
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("
"), @r#"
        drover.words.dead: x-consumer-timeout=604800000 x-delivery-limit=10000 x-queue-type="quorum"
        drover.words.datums: x-consumer-timeout=604800000 x-dead-letter-exchange="" x-dead-letter-routing-key="drover.words.dead" x-dead-letter-strategy="at-least-once" x-delivery-limit=10000 x-overflow="reject-publish" x-queue-type="quorum"
        drover.words.reports: x-consumer-timeout=604800000 x-dead-letter-exchange="" x-dead-letter-routing-key="drover.words.dead" x-dead-letter-strategy="at-least-once" x-delivery-limit=10000 x-overflow="reject-publish" x-queue-type="quorum" x-single-active-consumer=true
        "#);
    }

    fn plain(value: &AMQPValue) -> String {
        match value {
            AMQPValue::LongString(text) => format!("{:?}", text.to_string()),
            AMQPValue::LongLongInt(number) => number.to_string(),
            AMQPValue::Boolean(truth) => truth.to_string(),
            other => panic!("an unexpected argument {other:?}"),
        }
    }

    #[test]
    fn a_refusal_names_the_store_that_came_first_also_when_the_reply_was_cut() {
        let reply = "PRECONDITION_FAILED - inequivalent arg 'alternate-exchange' for exchange 'drover.words.store' in vhost '/': \
                     received 'drover.aaaaaaaaaaaaaaaa@/data/a' but current is 'drover.bbbbbbbbbbbbbbbb@/data/b'";
        let named = refused_by(reply);
        assert_eq!(
            named.as_deref(),
            Some("bbbbbbbbbbbbbbbb (made at …/data/b)")
        );
        let cut = refused_by(&format!("{}...", &reply[..reply.len() - 9]));
        assert_eq!(cut.as_deref(), Some("bbbbbbbbbbbbbbbb"));
        assert_eq!(refused_by("NOT_FOUND - no queue"), None);
    }

    #[test]
    fn the_dead_queue_has_no_dead_queue() {
        let dead = Queue::Dead(pipeline());
        assert_eq!(dead_queue(&Queue::Datums(pipeline())), Some(dead.clone()));
        assert_eq!(dead_queue(&Queue::Reports(pipeline())), Some(dead.clone()));
        assert_eq!(dead_queue(&dead), None);
    }
}
