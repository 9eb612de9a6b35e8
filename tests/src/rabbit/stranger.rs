//! Whoever reaches the broker: publishes what no process of Drover would.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};

/// Publishes messages as a stranger would; returns once the broker has confirmed all of them.
pub fn publish_as_stranger(url: &str, exchange: &str, key: &str, messages: &[&[u8]]) {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    runtime.block_on(async {
        let connection = Connection::connect(url, ConnectionProperties::default()).await;
        let connection = connection.expect("the broker is there");
        let channel = connection.create_channel().await.expect("a channel opens");
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.expect("confirms are known");
        for message in messages {
            let sent = channel.basic_publish(
                exchange.into(),
                key.into(),
                BasicPublishOptions::default(),
                message,
                BasicProperties::default(),
            );
            let confirmed = sent.await.expect("it is sent").await;
            assert!(confirmed.expect("it is answered").is_ack());
        }
        connection.close(200, "".into()).await.expect("it ends");
    });
}
