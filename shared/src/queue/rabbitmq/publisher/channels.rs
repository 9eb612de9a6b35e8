//! Channels of one connection, with confirms.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::options::{ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ExchangeKind};
use tokio::sync::OnceCell;

use super::target::PublishTarget;
use crate::queue::rabbitmq::error::BrokerFailure;
use crate::queue::rabbitmq::liveness::while_connected;
use crate::queue::rabbitmq::topology::CONTROL;

/// Targets from which on the channels without messages under way are closed. A broker allows 2047 channels for a connection, as a
/// rule.
const MOST_IDLE: usize = 256;

/// Channels of a connection, one for each target, opened on first use.
///
/// The broker returns an unroutable message before confirming the message, and lapin attributes the return to the next
/// confirmation on the channel. On a channel for a single target the mix-up is harmless: every message of the channel
/// shares the fate of the target.
#[derive(Default)]
pub(super) struct Channels {
    by_target: Mutex<HashMap<PublishTarget, SharedChannel>>,
}

/// A channel that one of its users opens.
pub(super) type SharedChannel = Arc<OnceCell<Channel>>;

impl Channels {
    /// The channel of a target.
    pub(super) fn of(&self, target: &PublishTarget) -> SharedChannel {
        let mut channels = self.lock();
        if let Some(channel) = channels.get(target) {
            return Arc::clone(channel);
        }
        if channels.len() >= MOST_IDLE {
            channels.retain(|_, channel| Arc::strong_count(channel) > 1);
        }
        let channel = SharedChannel::default();
        channels.insert(target.clone(), Arc::clone(&channel));
        channel
    }

    /// Removes a broken channel, unless another task has replaced the channel already.
    pub(super) fn remove(&self, target: &PublishTarget, broken: &SharedChannel) {
        let mut channels = self.lock();
        let current = channels.get(target);
        if current.is_some_and(|current| Arc::ptr_eq(current, broken)) {
            channels.remove(target);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PublishTarget, SharedChannel>> {
        self.by_target
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a channel with confirms.
pub(super) async fn open(
    connection: &Connection,
    target: &PublishTarget,
) -> Result<Channel, BrokerFailure> {
    let opened = async {
        let channel = connection.create_channel().await?;
        channel
            .confirm_select(ConfirmSelectOptions::default())
            .await?;
        if *target == PublishTarget::Broadcast {
            declare_control(&channel).await?;
        }
        Ok(channel)
    };
    match while_connected(|| connection.status().connected(), opened).await {
        Some(opened) => opened.map_err(|error: lapin::Error| BrokerFailure::from(&error)),
        None => Err(BrokerFailure::connection_lost()),
    }
}

/// Declares the exchange for broadcasts. The exchange need not survive the broker: every client declares it.
pub(in crate::queue::rabbitmq) async fn declare_control(channel: &Channel) -> lapin::Result<()> {
    channel
        .exchange_declare(
            CONTROL.into(),
            ExchangeKind::Fanout,
            ExchangeDeclareOptions::default(),
            FieldTable::default(),
        )
        .await
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_set().entries(self.lock().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Queue;

    #[test]
    fn channels_of_many_targets_stay_while_messages_are_under_way_and_go_afterwards() {
        let channels = Channels::default();
        let of = |number: usize| {
            let pipeline = format!("pipeline-{number}").parse().unwrap();
            channels.of(&PublishTarget::Queue(Queue::Reports(pipeline)))
        };
        let used: Vec<_> = (0..3 * MOST_IDLE).step_by(4).map(of).collect();
        for number in 0..10 * MOST_IDLE {
            of(number);
            assert!(channels.lock().len() <= used.len() + MOST_IDLE);
        }
        for (number, used) in used.iter().enumerate() {
            assert!(Arc::ptr_eq(used, &of(4 * number)));
        }
    }
}
