//! A dropped client leaves nothing behind.

use bytes::Bytes;
use drover_shared::queue::Broker as _;
use drover_tests::{DEADLINE, Rabbit};
use tokio::runtime::Handle;
use tokio::task::block_in_place;
use tokio::time::{Duration, Instant, sleep};

use crate::bench::{Bench, next};

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_tasks_end_with_the_last_who_uses_them() {
    let rabbit = Rabbit::start();
    let connections = || {
        let listed = block_in_place(|| rabbit.ctl(&["list_connections", "--quiet", "name"]));
        listed.lines().filter(|line| line.contains("->")).count()
    };
    let before = Handle::current().metrics().num_alive_tasks();
    let bench = Bench::at(&rabbit.vhost()).await;
    let mut consumer = bench.consume(1).await;
    let listener = bench.broker.listen("lone").await.unwrap();
    bench.publish("held").await;
    bench
        .broker
        .broadcast(Bytes::from_static(b"0"))
        .await
        .unwrap();
    let held = next(&mut *consumer).await;
    assert_eq!(connections(), 2, "one to consume, one to publish");

    drop((bench, listener));
    assert!(
        held.is_live(),
        "a consumer outlives the handle it came from"
    );
    drop((consumer, held));
    let begun = Instant::now();
    while Handle::current().metrics().num_alive_tasks() > before {
        assert!(begun.elapsed() < DEADLINE, "a task is left");
        sleep(Duration::from_millis(20)).await;
    }
    while connections() > 0 {
        assert!(begun.elapsed() < DEADLINE, "a connection is left");
    }
}
