//! Obstacles: reasons why an active job makes no progress.

use std::time::Duration;

use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::{Ledger, Submission};
use drover_shared::process::{check_writable, process_name};
use drover_shared::queue::{Broker, Link};
use drover_shared::store::StoreError;
use tokio::time::timeout;

use super::{BrokerView, ClusterError, broker_view, record, running_before};

/// Timeout for questions to the broker.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// Reason why an active job makes no progress, as far as the current process can tell. `broker` is none before the first
/// connection.
pub async fn obstacle(
    ledger: &Ledger,
    broker: Option<&dyn Broker>,
    job: &JobRecord,
    submission: Option<&Submission>,
) -> Result<Option<String>, StoreError> {
    if let Some(earlier) = earlier_job(ledger, job, submission).await? {
        return Ok(Some(format!(
            "waits for job {} of {}, which is {}",
            earlier.id, earlier.pipeline, earlier.state
        )));
    }
    if submission.is_none() {
        return Ok(None);
    }
    let link = link(broker);
    let Some(broker) = broker.filter(|_| link == Link::Up) else {
        return Ok(link_problem(&link));
    };
    let look = broker_view(broker, ledger, &job.pipeline);
    let view = match timeout(BROKER_TIMEOUT, look).await {
        Ok(Ok(view)) => view,
        Ok(Err(ClusterError::Store(error))) => return Err(error),
        Ok(Err(ClusterError::Queue(error))) => return Ok(Some(error.to_string())),
        Err(_) => return Ok(Some("the broker does not answer".to_owned())),
    };
    if view.coordinators == 0
        && let Err(error) = check_writable(ledger.store(), &process_name()).await
    {
        return Ok(Some(format!("the store cannot be written: {error}")));
    }
    Ok(in_view(job, &view))
}

/// State of the connection to a broker.
fn link(broker: Option<&dyn Broker>) -> Link {
    let never = || Link::Down {
        why: "not connected yet".to_owned(),
    };
    broker.map_or_else(never, Broker::link)
}

/// The unfinished job to wait for.
async fn earlier_job(
    ledger: &Ledger,
    job: &JobRecord,
    submission: Option<&Submission>,
) -> Result<Option<JobRecord>, StoreError> {
    if job.state != JobState::Starting {
        return Ok(None);
    }
    let after = submission.map(|known| known.after.as_slice());
    for earlier in after.unwrap_or_default() {
        match record(ledger, *earlier).await {
            Ok(earlier) if !earlier.state.is_final() => return Ok(Some(earlier)),
            Ok(_) | Err(StoreError::Corrupt { .. } | StoreError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    running_before(ledger, job).await
}

fn link_problem(link: &Link) -> Option<String> {
    match link {
        Link::Up => None,
        Link::Down { why } => Some(format!("the broker cannot be reached: {why}")),
        Link::Blocked { why } => Some(format!(
            "the broker accepts no messages at present ({why}); free memory or disk space there, and the job goes on"
        )),
    }
}

/// Obstacle of a job according to the broker.
fn in_view(record: &JobRecord, view: &BrokerView) -> Option<String> {
    let name = &record.pipeline;
    let needs_workers = matches!(record.state, JobState::Starting | JobState::Running);
    match view {
        BrokerView { link, .. } if *link != Link::Up => link_problem(link),
        BrokerView {
            coordinators: 0,
            connected_leader: Some(leader),
            ..
        } => Some(format!(
            "{leader} coordinates {name} and receives no reports: it tries again after a failure that its log names, or the queues have no quorum"
        )),
        BrokerView {
            coordinators: 0, ..
        } => Some(format!(
            "no process coordinates {name}; start `drover serve` with this store and broker"
        )),
        BrokerView { workers: 0, .. } if needs_workers => Some(format!(
            "no worker of {name} is connected; start `drover-worker --pipeline {name}` with this store and broker"
        )),
        BrokerView { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::id::JobId;
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_first_thing_in_the_way_is_named() {
        let name = "made".parse().unwrap();
        let record = JobRecord::new(JobId::generate(), name, Timestamp::UNIX_EPOCH);
        let view = |coordinators, workers| BrokerView {
            link: Link::Up,
            coordinators,
            connected_leader: None,
            workers,
            ready: 3,
        };
        let why = |view: BrokerView| in_view(&record, &view).unwrap_or_default();
        assert!(why(view(0, 0)).starts_with("no process coordinates made"));
        assert!(why(view(1, 0)).starts_with("no worker of made is connected"));
        assert_eq!(why(view(1, 2)), "");
        let waiting = BrokerView {
            connected_leader: Some("host-1".to_owned()),
            ..view(0, 0)
        };
        assert!(why(waiting).starts_with("host-1 coordinates made"));
        let down = Link::Down {
            why: "cut".to_owned(),
        };
        let cut = BrokerView {
            link: down,
            ..view(1, 2)
        };
        assert_eq!(why(cut), "the broker cannot be reached: cut");
    }
}
