//! Leader election among several candidates.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::LeaseCandidate;
use super::observation::{LeaseAction, LeaseObservation};
use crate::testing::FakeApi;

fn lease(holder: &str, version: &str) -> Lease {
    serde_json::from_value(json!({
        "metadata": { "name": "drover-operator", "resourceVersion": version },
        "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15 },
    }))
    .unwrap()
}

#[test]
fn a_lease_is_taken_only_when_it_is_free_or_has_not_moved_for_its_time() {
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
    LeaseCandidate::new(cluster.client(), "farm", "drover-operator", me)
}

fn holder(cluster: &FakeApi) -> String {
    let lease = cluster.object("leases", "drover-operator").unwrap();
    lease["spec"]["holderIdentity"].as_str().unwrap().to_owned()
}

/// Returns true if the candidate acquires the Lease within this many seconds.
async fn wins(candidate: &LeaseCandidate, seconds: u64) -> bool {
    timeout(Duration::from_secs(seconds), candidate.acquire())
        .await
        .is_ok()
}

#[tokio::test(start_paused = true)]
async fn the_second_one_wins_when_the_first_is_not_heard_of() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    assert!(wins(&one, 1).await);
    assert_eq!(holder(&cluster), "one");
    let reigning = async {
        timeout(Duration::from_mins(1), one.renew_until_lost())
            .await
            .is_err()
    };
    let (still_reigns, won) = tokio::join!(reigning, wins(&other, 60));
    assert!(still_reigns && !won, "as long as it is renewed");
    assert!(!wins(&other, 10).await, "not at once");
    assert!(wins(&other, 30).await);
    assert_eq!(holder(&cluster), "other");
    // The first candidate notices the loss.
    let lost = timeout(Duration::from_secs(30), one.renew_until_lost()).await;
    assert!(lost.is_ok());
    assert_eq!(holder(&cluster), "other");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_back_is_had_at_once() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    assert!(wins(&one, 1).await);
    other.release().await.unwrap();
    assert_eq!(
        holder(&cluster),
        "one",
        "nobody gives back what is another's"
    );
    one.release().await.unwrap();
    assert!(wins(&other, 1).await);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_renew_steps_down_before_another_may_take_over() {
    let cluster = FakeApi::default();
    let one = candidate(&cluster, "one");
    assert!(wins(&one, 1).await);
    cluster.break_after(0);
    let began = Instant::now();
    one.renew_until_lost().await;
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_who_come_at_the_same_time_one_wins() {
    let cluster = FakeApi::default();
    let (one, other) = (candidate(&cluster, "one"), candidate(&cluster, "other"));
    let won = tokio::join!(wins(&one, 5), wins(&other, 5));
    assert!(won.0 != won.1, "{won:?}");
}
