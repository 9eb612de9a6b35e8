//! Leader election among several candidates.

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use super::observation::{LeaseAction, LeaseObservation};
use super::{Leadership, LeaseCandidate};
use crate::testing::{FakeApi, FakeNetwork};

fn lease(holder: &str, version: &str) -> Lease {
    serde_json::from_value(json!({
        "metadata": { "name": "drover-operator", "resourceVersion": version },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15 },
    }))
    .unwrap()
}

#[test]
fn a_lease_is_acquired_only_if_it_is_released_or_expired() {
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let rows = [
        (
            "ours",
            lease("me", "1"),
            lease("me", "1"),
            60,
            LeaseAction::Renew,
        ),
        (
            "given back",
            lease("you", "1"),
            lease("", "2"),
            1,
            LeaseAction::Acquire,
        ),
        (
            "somebody else's",
            lease("you", "1"),
            lease("you", "1"),
            15,
            LeaseAction::Wait,
        ),
        (
            "not renewed",
            lease("you", "1"),
            lease("you", "1"),
            16,
            LeaseAction::Acquire,
        ),
        (
            "renewed",
            lease("you", "1"),
            lease("you", "2"),
            60,
            LeaseAction::Wait,
        ),
        (
            "taken over",
            lease("you", "1"),
            lease("them", "2"),
            60,
            LeaseAction::Wait,
        ),
    ];
    for (name, first, second, later, expected) in rows {
        let observation = LeaseObservation::of(&first, None, at(0));
        let observation = LeaseObservation::of(&second, Some(observation), at(later));
        assert_eq!(
            observation.step(&second, "me", at(later)),
            expected,
            "{name}"
        );
    }
}

fn candidate(cluster: &FakeApi, me: &str) -> LeaseCandidate {
    LeaseCandidate::new(
        cluster.client(),
        "farm",
        "drover-operator",
        me,
        Arc::default(),
    )
}

fn holder(cluster: &FakeApi) -> String {
    let lease = cluster.object("leases", "drover-operator").unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

/// The leadership, if the candidate acquires the Lease within so many seconds.
async fn acquires(candidate: &LeaseCandidate, seconds: u64) -> Option<Leadership> {
    timeout(Duration::from_secs(seconds), candidate.acquire())
        .await
        .ok()
}

/// Leads with work that never ends. Returns true if the Lease is lost within so many seconds.
async fn loses(candidate: &LeaseCandidate, leadership: Leadership, seconds: u64) -> bool {
    let lead = candidate.lead(leadership, pending::<()>());
    timeout(Duration::from_secs(seconds), lead).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_second_candidate_leads_when_the_first_no_longer_renews() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    let first = acquires(&one, 1).await.unwrap();
    assert_eq!(holder(&cluster), "one");
    let (lost, acquired) = tokio::join!(loses(&one, first, 60), acquires(&other, 60));
    assert!(
        !lost && acquired.is_none(),
        "as long as the Lease is renewed"
    );
    assert!(acquires(&other, 10).await.is_none(), "not at once");
    let second = acquires(&other, 30).await.unwrap();
    assert_eq!(holder(&cluster), "other");
    assert!(second.transitions > first.transitions);
    // The first candidate notices the loss.
    assert!(loses(&one, first, 30).await);
    assert_eq!(holder(&cluster), "other");
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_acquired_at_once() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    assert!(acquires(&one, 1).await.is_some());
    other.release().await.unwrap();
    assert_eq!(holder(&cluster), "one", "only the holder releases");
    one.release().await.unwrap();
    assert!(acquires(&other, 1).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_renewals_are_refused_steps_down_before_another_may_lead() {
    let cluster = FakeApi::default();
    let one = candidate(&cluster, "one");
    let leadership = acquires(&one, 1).await.unwrap();
    cluster.break_after(0);
    assert!(loses(&one, leadership, 14).await);
}

#[tokio::test(start_paused = true)]
async fn of_two_concurrent_candidates_one_leads() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    let (first, second) = tokio::join!(acquires(&one, 5), acquires(&other, 5));
    assert!(first.is_some() != second.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_packets_are_lost_stops_all_work_before_another_may_lead() {
    for (requests, responses) in [(true, false), (false, true), (true, true)] {
        let case = format!("requests lost: {requests}, responses lost: {responses}");
        let (cluster, network) = (FakeApi::default(), FakeNetwork::default());
        let client = cluster.client_through(&network);
        let one = LeaseCandidate::new(client, "farm", "drover-operator", "one", Arc::default());
        let other = candidate(&cluster, "other");
        let leadership = acquires(&one, 1).await.unwrap();
        network.lose(requests, responses);
        let began = Instant::now();
        let last_work = Cell::new(began);
        let work = async {
            loop {
                last_work.set(Instant::now());
                sleep(Duration::from_millis(10)).await;
            }
        };
        let leading = timeout(Duration::from_mins(2), one.lead::<()>(leadership, work));
        let acquiring = async {
            let acquired = acquires(&other, 120).await;
            (acquired.is_some(), Instant::now())
        };
        let (led, (leads, other_began)) = tokio::join!(leading, acquiring);
        assert!(led.is_ok(), "{case}: the first leader never steps down");
        assert!(leads && last_work.get() < other_began, "{case}");
        assert!(last_work.get() - began < Duration::from_secs(11), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_leadership_is_not_taken_up_again_in_the_same_term() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    let leadership = acquires(&one, 1).await.unwrap();
    assert!(acquires(&other, 60).await.is_some());
    other.release().await.unwrap();
    assert!(loses(&one, leadership, 10).await);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_deleted_and_created_again_counts_on() {
    let cluster = FakeApi::default();
    let before = acquires(&candidate(&cluster, "one"), 1).await.unwrap();
    let anew = acquires(&candidate(&FakeApi::default(), "one"), 1).await;
    assert!(anew.unwrap().transitions >= before.transitions);
    assert!(before.transitions > 1_000_000);
}
