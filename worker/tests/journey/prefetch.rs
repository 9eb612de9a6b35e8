//! How many messages a worker holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use drover_shared::datum::VerdictState;
use drover_shared::wire::TaskDatums;
use tokio::time::timeout;

use crate::breaking::Breaking;
use crate::farm::{Farm, SOON, WAIT_FOR_GO, exists, open};

/// A farm with a worker that may hold 2 messages, and 32 more while datums are short.
async fn farm() -> (Farm, Breaking) {
    let mut farm = Farm::new(WAIT_FOR_GO).await;
    farm.write("a", "A\n");
    let broker = Breaking::around(&farm.broker);
    farm.broker = Arc::new(broker.clone());
    let mut settings = farm.settings();
    settings.look_ahead = 1;
    settings.further = 32;
    farm.work(settings);
    (farm, broker)
}

/// Has the worker do datums that take no time, as they have ended before, until it holds more messages.
async fn feed_short_datums(farm: &mut Farm, broker: &Breaking) {
    let ended = farm.verdict_of_another(0);
    farm.ledger.commit(farm.job, &ended).await.unwrap();
    let feeding = async {
        while broker.asked().last() != Some(&34) {
            farm.publish_again(TaskDatums::Inline(vec![farm.datum(0, "a")]))
                .await;
            assert!(!farm.ended().await.1);
        }
    };
    timeout(SOON, feeding)
        .await
        .expect("more messages are held");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_datums_are_short_more_messages_are_held_and_go_back_when_one_takes_long() {
    let (mut farm, broker) = farm().await;
    feed_short_datums(&mut farm, &broker).await;
    let long = 1..=50;
    for index in long.clone() {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    exists(&farm.path("running")).await;
    // Datums that have begun stay, and the usual number is added.
    let ready = async {
        while farm.broker.depth(&farm.datums()).await.unwrap().ready < 50 - 2 - 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, ready).await.expect("the others go back");
    assert!(broker.asked().starts_with(&[2, 34, 2]));
    open(&farm.path("go"));
    let mut done = BTreeSet::new();
    for _ in long.clone() {
        let (verdict, first) = farm.ended().await;
        assert_eq!(
            (verdict.state, verdict.attempts),
            (VerdictState::Success, 1)
        );
        assert!(first, "datum {} was done twice", verdict.index);
        done.insert(verdict.index);
    }
    assert_eq!(done, long.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_datums_are_long_none_is_held_ahead() {
    let (mut farm, broker) = farm().await;
    for index in 1..=9 {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    exists(&farm.path("running")).await;
    let ready = async {
        while farm.broker.depth(&farm.datums()).await.unwrap().ready < 9 - 1 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, ready)
        .await
        .expect("all but the running datum go back");
    assert_eq!(
        broker.asked(),
        [2],
        "nothing is asked for while the slot is busy"
    );
    open(&farm.path("go"));
    for _ in 1..=9 {
        assert!(farm.ended().await.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_gives_back_all_that_it_holds_and_has_not_begun() {
    let (mut farm, broker) = farm().await;
    feed_short_datums(&mut farm, &broker).await;
    for index in 1..=50 {
        farm.publish(vec![farm.datum(index, "a")]).await;
    }
    exists(&farm.path("running")).await;
    farm.tokens.soft.cancel();
    open(&farm.path("go"));
    let ended = async {
        farm.tokens.tracker.close();
        farm.tokens.tracker.wait().await;
    };
    timeout(SOON, ended).await.expect("the worker ends");
    assert!(farm.left().await >= 48);
}
