//! Sentences about a job on the broker: its coordinator, workers and queue.

use drover_core::catalog::BrokerView;
use drover_shared::ledger::DeadLetter;
use drover_shared::queue::Link;

use crate::render::terminal::number::{count, counted};
use crate::render::terminal::text::printable;

/// State of the cluster that runs a job.
#[derive(Clone, Debug)]
pub enum ClusterView {
    /// No broker is named, so nothing is known.
    Unnamed,
    /// The broker does not answer; the text is the reason.
    Unreachable(String),
    /// The broker answers, and the queues of the pipeline do not.
    Silent,
    /// The broker's view.
    Seen(BrokerView),
}

/// Sentences about an active job of `pipeline`; `is_writable` is false if the store cannot be written from here.
pub(crate) fn sentences(cluster: &ClusterView, is_writable: bool, pipeline: &str) -> Vec<String> {
    match cluster {
        ClusterView::Unnamed => vec![
            "The job is on the broker: with --broker URL, this command tells whether workers are connected.".to_owned(),
        ],
        ClusterView::Unreachable(problem) => vec![format!(
            "The broker does not answer, so the job makes no progress: {}.", printable(problem)
        )],
        ClusterView::Silent => vec![format!(
            "The broker answers, but the queues of {pipeline} do not: they have no quorum, that is, no majority of the nodes that hold them \
             is up. Start the missing nodes of the broker, and the job continues."
        )],
        ClusterView::Seen(view) => seen(view, is_writable, pipeline),
    }
}

fn seen(view: &BrokerView, is_writable: bool, pipeline: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    match &view.link {
        Link::Up => {}
        Link::Down { why } => sentences.push(format!(
            "The connection to the broker is lost; reconnecting: {}.", printable(why)
        )),
        Link::Blocked { why } => sentences.push(format!(
            "The broker accepts no messages at present ({}): free memory or disk space there, and the job continues.", printable(why)
        )),
    }
    if view.coordinators == 0 {
        sentences.push(without_coordinator(view, is_writable));
    }
    sentences.push(match (view.workers, view.ready) {
        (0, _) => format!("No worker is connected to its queue: start `drover-worker --pipeline {pipeline}` with this store and broker."),
        (workers, 0) if view.coordinators > 0 => format!(
            "{} connected; no message waits in the queue. Of the datums that remain, the coordinator publishes again, within \
             seconds, those that no worker holds.", are(workers)
        ),
        (workers, 0) => format!("{} connected; no message waits in the queue.", are(workers)),
        (workers, ready) => format!(
            "{} connected; {} in the queue.", are(workers), waiting(ready)
        ),
    });
    sentences
}

/// A coordinator that failed consumes no reports until it tries again.
fn without_coordinator(view: &BrokerView, is_writable: bool) -> String {
    match &view.connected_leader {
        Some(leader) => format!(
            "Process {} coordinates the job and tries again after a failure, which its log names.",
            printable(leader)
        ),
        None if !is_writable => "At this moment no process coordinates the job; if none is about to try again, start `drover serve` with this \
             store and broker."
            .to_owned(),
        None => "No process coordinates the job: start `drover serve` with this store and broker."
            .to_owned(),
    }
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

/// Sentence about dead letters, if any; `last` is the newest one.
pub(crate) fn parked(count_of: usize, last: Option<&DeadLetter>, pipeline: &str) -> Option<String> {
    let last = last?;
    let count_of = u64::try_from(count_of).unwrap_or(u64::MAX);
    Some(format!(
        "{} of {pipeline} {} dead-lettered below .drover/pipelines/{pipeline}/parked; the last reason: {}.",
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
            connected_leader: None,
            workers,
            ready,
        };
        sentences(&ClusterView::Seen(view), true, "count").join("\n")
    }

    #[test]
    fn whatever_keeps_a_job_from_moving_is_named_with_the_way_out() {
        insta::assert_snapshot!(told(Link::Up, 1, 3, 0), @"3 workers are connected; no message waits in the queue. Of the datums that remain, the coordinator publishes again, within seconds, those that no worker holds.");
        insta::assert_snapshot!(told(Link::Up, 0, 1, 0), @"
        No process coordinates the job: start `drover serve` with this store and broker.
        1 worker is connected; no message waits in the queue.
        ");
        insta::assert_snapshot!(told(Link::Up, 1, 1, 2048), @"1 worker is connected; 2,048 messages wait in the queue.");
        insta::assert_snapshot!(told(Link::Up, 0, 0, 0), @"
        No process coordinates the job: start `drover serve` with this store and broker.
        No worker is connected to its queue: start `drover-worker --pipeline count` with this store and broker.
        ");
        let blocked = Link::Blocked {
            why: "low on memory".to_owned(),
        };
        insta::assert_snapshot!(told(blocked, 1, 2, 1), @r"
        The broker accepts no messages at present (low on memory): free memory or disk space there, and the job continues.
        2 workers are connected; 1 message waits in the queue.
        ");
        let unreachable = ClusterView::Unreachable("connection refused".to_owned());
        insta::assert_snapshot!(sentences(&unreachable, true, "count").join("\n"), @"The broker does not answer, so the job makes no progress: connection refused.");
    }
    #[test]
    fn a_job_whose_coordinator_is_in_trouble_is_not_called_without_one() {
        let view = |leader: Option<&str>| {
            ClusterView::Seen(BrokerView {
                link: Link::Up,
                coordinators: 0,
                connected_leader: leader.map(str::to_owned),
                workers: 1,
                ready: 0,
            })
        };
        let first =
            |view: &ClusterView, is_writable| sentences(view, is_writable, "count").swap_remove(0);
        insta::assert_snapshot!(first(&view(Some("host-7")), true), @"Process host-7 coordinates the job and tries again after a failure, which its log names.");
        insta::assert_snapshot!(first(&view(None), false), @"At this moment no process coordinates the job; if none is about to try again, start `drover serve` with this store and broker.");
        insta::assert_snapshot!(first(&ClusterView::Silent, true), @"The broker answers, but the queues of count do not: they have no quorum, that is, no majority of the nodes that hold them is up. Start the missing nodes of the broker, and the job continues.");
    }
}
