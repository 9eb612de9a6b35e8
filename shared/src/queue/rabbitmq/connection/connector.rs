//! Connects to a broker: the hosts are tried in turn, beginning with the host that answered last.

use std::sync::atomic::{AtomicUsize, Ordering};

use deadpool::managed::{Manager, Metrics, RecycleResult};

use super::address::Address;
use super::endpoint_connector::{ConnectError, EndpointConnector};
use crate::queue::rabbitmq::preflight::Version;

/// Connects to the first host of an address that answers.
#[derive(Debug)]
pub(in crate::queue::rabbitmq) struct BrokerConnector {
    address: Address,
    /// At least one.
    hosts: Vec<EndpointConnector>,
    /// Index of the host that answered last.
    last: AtomicUsize,
}

impl BrokerConnector {
    /// `name` is the connection name shown by the broker.
    pub(in crate::queue::rabbitmq) fn new(address: Address, name: &str) -> Self {
        let hosts = address.endpoints().iter();
        let hosts = hosts.map(|host| EndpointConnector::new(host.clone(), name.to_owned()));
        Self {
            hosts: hosts.collect(),
            address,
            last: AtomicUsize::new(0),
        }
    }

    /// Address of the broker.
    pub(in crate::queue::rabbitmq) fn address(&self) -> &Address {
        &self.address
    }

    /// Reads the broker's version from the greeting.
    pub(in crate::queue::rabbitmq) async fn version(&self) -> Result<Version, ConnectError> {
        self.first_answer(EndpointConnector::version).await
    }

    /// The first answer of the hosts, which are asked in turn.
    async fn first_answer<T>(
        &self,
        ask: impl AsyncFn(&EndpointConnector) -> Result<T, ConnectError>,
    ) -> Result<T, ConnectError> {
        let mut failures = Failures::default();
        for (at, host) in self.in_turn() {
            match ask(host).await {
                Ok(answer) => {
                    self.last.store(at, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failure) => failures.add(host, failure),
            }
        }
        Err(failures.into_error())
    }

    fn in_turn(&self) -> impl Iterator<Item = (usize, &EndpointConnector)> {
        let (first, count) = (self.last.load(Ordering::Relaxed), self.hosts.len());
        let indexes = (first..first + count).map(move |at| at % count);
        indexes.map(|at| (at, &self.hosts[at]))
    }
}

impl Manager for BrokerConnector {
    type Type = lapin::Connection;
    type Error = ConnectError;

    /// Attempts to connect to each host once, until a host answers.
    async fn create(&self) -> Result<lapin::Connection, ConnectError> {
        self.first_answer(EndpointConnector::connect).await
    }

    async fn recycle(
        &self,
        connection: &mut lapin::Connection,
        _: &Metrics,
    ) -> RecycleResult<ConnectError> {
        if connection.status().connected() {
            return Ok(());
        }
        Err(ConnectError::Transient("the connection was lost".to_owned()).into())
    }
}

/// Failures of the hosts of one round.
#[derive(Default)]
struct Failures(Vec<(String, ConnectError)>);

impl Failures {
    fn add(&mut self, host: &EndpointConnector, failure: ConnectError) {
        self.0.push((host.endpoint().to_string(), failure));
    }

    /// The only failure; of several failures, a refusal if all hosts refuse.
    fn into_error(mut self) -> ConnectError {
        if self.0.len() == 1
            && let Some((_, failure)) = self.0.pop()
        {
            return failure;
        }
        let is_refused = |(_, failure): &(_, _)| matches!(failure, ConnectError::Refused(_));
        let all_refuse = self.0.iter().all(is_refused);
        let lines = self.0.iter();
        let lines: Vec<_> = lines
            .map(|(host, failure)| format!("{host}: {failure}"))
            .collect();
        let text = lines.join("; ");
        if all_refuse {
            ConnectError::Refused(text)
        } else {
            ConnectError::Transient(text)
        }
    }
}
