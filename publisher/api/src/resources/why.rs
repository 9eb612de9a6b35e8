//! Why a job does not move.

use std::time::Duration;

use drover_shared::job::{JobRecord, JobState};
use drover_shared::ledger::Submission;
use drover_shared::queue::Link;
use drover_shared::store::StoreError;

use tokio::time::timeout;

use crate::routing::api::Api;
use drover_core::catalog;
use drover_core::catalog::BrokerView;

/// How long the broker may take to tell how things are.
const PATIENCE: Duration = Duration::from_secs(3);

/// What keeps a job from moving that has not ended; none if nothing does, as far as one can tell.
pub(crate) async fn why(
    api: &Api,
    record: &JobRecord,
    submission: Option<&Submission>,
    stop_requested: bool,
) -> Result<Option<String>, StoreError> {
    if stop_requested {
        let ending = "somebody asked for its end; it ends as soon as what runs has been ended";
        return Ok(Some(ending.to_owned()));
    }
    if let Some(earlier) = waits_for(api, record, submission).await? {
        return Ok(Some(format!(
            "it waits for job {} of {}, which is {}",
            earlier.id,
            earlier.pipeline,
            earlier.state.to_string()
        )));
    }
    if submission.is_none() {
        return Ok(None);
    }
    let link = api.reach().link();
    let Some(broker) = api.reach().get().filter(|_| link == Link::Up) else {
        return Ok(link_trouble(&link));
    };
    let look = catalog::broker_view(broker.as_ref(), &record.pipeline);
    Ok(match timeout(PATIENCE, look).await {
        Ok(Ok(view)) => in_the_way(record, &view),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some("the broker does not answer".to_owned()),
    })
}

/// The job that has to end before this one begins, if it has not.
async fn waits_for(
    api: &Api,
    record: &JobRecord,
    submission: Option<&Submission>,
) -> Result<Option<JobRecord>, StoreError> {
    if record.state != JobState::Starting {
        return Ok(None);
    }
    for earlier in submission
        .map(|known| known.after.as_slice())
        .unwrap_or_default()
    {
        let earlier = api.readable(*earlier).await?;
        if let Some(earlier) = earlier.filter(|earlier| !earlier.state.is_final()) {
            return Ok(Some(earlier));
        }
    }
    catalog::running_before(api.ledger(), record).await
}

fn link_trouble(link: &Link) -> Option<String> {
    match link {
        Link::Up => None,
        Link::Down { why } => Some(format!("the broker is out of reach: {why}")),
        Link::Blocked { why } => Some(format!(
            "the broker takes no messages for now ({why}); free memory or disk there, and it goes on"
        )),
    }
}

/// What is in the way of a job that could go on.
fn in_the_way(record: &JobRecord, view: &BrokerView) -> Option<String> {
    let name = &record.pipeline;
    let needs_workers = matches!(record.state, JobState::Starting | JobState::Running);
    match view {
        BrokerView { link, .. } if *link != Link::Up => link_trouble(link),
        BrokerView {
            coordinators: 0, ..
        } => Some(format!(
            "nobody coordinates {name}; `drover serve` with this store and broker does"
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
            workers,
            ready: 3,
        };
        let why = |view: BrokerView| in_the_way(&record, &view).unwrap_or_default();
        assert!(why(view(0, 0)).starts_with("nobody coordinates made"));
        assert!(why(view(1, 0)).starts_with("no worker of made is connected"));
        assert_eq!(why(view(1, 2)), "");
        let down = Link::Down {
            why: "cut".to_owned(),
        };
        let cut = BrokerView {
            link: down,
            ..view(1, 2)
        };
        assert_eq!(why(cut), "the broker is out of reach: cut");
    }
}
