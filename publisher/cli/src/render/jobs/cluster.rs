//! Why a job on the broker moves, or does not, in sentences.

use drover_core::catalog::BrokerView;
use drover_shared::ledger::DeadLetter;
use drover_shared::queue::Link;

use crate::render::terminal::number::{count, counted};
use crate::render::terminal::text::printable;

/// What is known of the cluster that a job is on.
#[derive(Clone, Debug)]
pub enum Cluster {
    /// No broker was named, so nothing.
    Unnamed,
    /// The broker does not answer, for this reason.
    Unreachable(String),
    /// What the broker tells.
    Seen(BrokerView),
}

/// What is in the way of a job of `pipeline` that has not ended, or that nothing is.
pub(crate) fn sentences(cluster: &Cluster, pipeline: &str) -> Vec<String> {
    match cluster {
        Cluster::Unnamed => vec![
            "It is on the broker: with --broker URL, this command tells whether workers are connected.".to_owned(),
        ],
        Cluster::Unreachable(problem) => vec![format!(
            "The broker does not answer, so nothing moves: {}.", printable(problem)
        )],
        Cluster::Seen(view) => seen(view, pipeline),
    }
}

fn seen(view: &BrokerView, pipeline: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    match &view.link {
        Link::Up => {}
        Link::Down { why } => sentences.push(format!(
            "The connection to the broker is lost and being made again: {}.", printable(why)
        )),
        Link::Blocked { why } => sentences.push(format!(
            "The broker takes no messages for now ({}): free memory or disk there, and everything goes on by itself.", printable(why)
        )),
    }
    if view.coordinators == 0 {
        sentences.push(
            "Nobody coordinates it: start `drover serve` with this store and broker.".to_owned(),
        );
    }
    sentences.push(match (view.workers, view.ready) {
        (0, _) => format!("No worker is connected to its queue: start `drover-worker --pipeline {pipeline}` with this store and broker."),
        (workers, 0) => format!("{} connected; no message waits in the queue.", are(workers)),
        (workers, ready) => format!(
            "{} connected; {} in the queue.", are(workers), waiting(ready)
        ),
    });
    sentences
}

fn are(workers: u32) -> String {
    let verb = if workers == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(u64::from(workers), "worker"))
}

fn waiting(ready: u64) -> String {
    match ready {
        1 => "1 message waits".to_owned(),
        ready => format!("{} messages wait", count(ready)),
    }
}

/// Messages that were put aside, if there are any; `last` is the newest one.
pub(crate) fn parked(count_of: usize, last: Option<&DeadLetter>, pipeline: &str) -> Option<String> {
    let last = last?;
    let count_of = u64::try_from(count_of).unwrap_or(u64::MAX);
    Some(format!(
        "{} of {pipeline} that nobody understood {} parked below .drover/pipelines/{pipeline}/parked, the last one because: {}.",
        counted(count_of, "message"),
        if count_of == 1 { "is" } else { "are" },
        printable(&last.reason)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(link: Link, coordinators: u32, workers: u32, ready: u64) -> String {
        let view = BrokerView {
            link,
            coordinators,
            workers,
            ready,
        };
        sentences(&Cluster::Seen(view), "count").join("\n")
    }

    #[test]
    fn whatever_keeps_a_job_from_moving_is_named_with_the_way_out() {
        insta::assert_snapshot!(told(Link::Up, 1, 3, 0), @"3 workers are connected; no message waits in the queue.");
        insta::assert_snapshot!(told(Link::Up, 1, 1, 2048), @"1 worker is connected; 2,048 messages wait in the queue.");
        insta::assert_snapshot!(told(Link::Up, 0, 0, 0), @"
        Nobody coordinates it: start `drover serve` with this store and broker.
        No worker is connected to its queue: start `drover-worker --pipeline count` with this store and broker.
        ");
        let blocked = Link::Blocked {
            why: "low on memory".to_owned(),
        };
        insta::assert_snapshot!(told(blocked, 1, 2, 1), @"
        The broker takes no messages for now (low on memory): free memory or disk there, and everything goes on by itself.
        2 workers are connected; 1 message waits in the queue.
        ");
        let unreachable = Cluster::Unreachable("connection refused".to_owned());
        insta::assert_snapshot!(sentences(&unreachable, "count").join("\n"), @"The broker does not answer, so nothing moves: connection refused.");
    }
}
