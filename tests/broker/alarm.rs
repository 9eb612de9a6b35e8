//! A broker short of memory takes no messages, and says so; what it has it gives away all the same.

use bytes::Bytes;
use drover_shared::queue::{Broker as _, Link};
use drover_tests::Rabbit;
use tokio::task::block_in_place;

use crate::bench::{Bench, next, receives, text, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_publishes_nothing_learns_of_an_alarm_by_a_probe() {
    let rabbit = Rabbit::start();
    let watermark = |limit: &str| {
        block_in_place(|| rabbit.ctl(&["set_vm_memory_high_watermark", "absolute", limit]));
    };
    let bench = Bench::at(&rabbit.vhost()).await;
    bench.broker.probe_alarm().await;
    assert_eq!(bench.broker.link(), Link::Up);
    watermark("1");
    let is_blocked = |link: &Link| matches!(link, Link::Blocked { .. });
    let probes = async {
        loop {
            bench.broker.probe_alarm().await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = probes => {}
        () = bench.link_is("blocked", is_blocked) => {}
    }
    watermark("1GB");
    bench.link_is("up", |link| *link == Link::Up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_holds_up_publishing_and_nothing_else() {
    let rabbit = Rabbit::start();
    let watermark = |limit: &str| {
        block_in_place(|| rabbit.ctl(&["set_vm_memory_high_watermark", "absolute", limit]));
    };
    // Heartbeats show that the blocked connection survives.
    let bench = Bench::at(&format!("{}?heartbeat=1", rabbit.vhost())).await;
    bench.publish("before").await;
    let mut consumer = bench.consume(1).await;

    watermark("1");
    let mut blocked = std::pin::pin!(bench.publish("blocked"));
    // The block is known a moment before the reason.
    let tells_why = |link: &Link| matches!(link, Link::Blocked { why } if why.contains("memory"));
    tokio::select! {
        () = &mut blocked => panic!("a message was taken during an alarm"),
        () = bench.link_is("blocked for want of memory", tells_why) => {}
    }

    let before = next(&mut *consumer).await;
    assert_eq!(text(&before), "before");
    assert!(before.ack().await.unwrap());
    let other = "during-an-alarm".parse().unwrap();
    let declared = within(bench.broker.declare(&other)).await;
    declared.expect("declaring goes on");
    assert_eq!(bench.broker.depth(&bench.datums()).await.unwrap().ready, 0);

    let tell = bench.broker.broadcast(Bytes::from_static(b"later"));
    let calm = async {
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        assert!(
            matches!(bench.broker.link(), Link::Blocked { .. }),
            "longer than three heartbeats"
        );
        watermark("1GB");
    };
    let ((), told, ()) = futures::join!(blocked, tell, calm);
    told.expect("told");
    receives(&mut *consumer, &["blocked"]).await;
    bench.link_is("up", |link| *link == Link::Up).await;
}
