//! The conformance suite of every broker.

use std::sync::Arc;

use drover_shared::queue::{Broker, testing::suite::suite};
use drover_tests::shared;

use crate::bench::connect;

#[tokio::test(flavor = "multi_thread")]
async fn rabbitmq_behaves_as_every_broker_must() {
    let broker = connect(&shared().vhost()).await.expect("it is up");
    suite(async || Arc::new(broker.clone()) as Arc<dyn Broker>).await;
}
