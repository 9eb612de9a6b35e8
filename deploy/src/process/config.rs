//! The validated configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use drover_shared::process::process_name;
use drover_shared::queue::rabbitmq::Address;
use drover_shared::store::Location;

use super::Args;
use crate::settings::WorkerSettings;

/// The operator's configuration.
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// The store.
    pub(crate) store: Location,
    /// The broker.
    pub(crate) broker: Address,
    /// The namespace whose pipelines are reconciled.
    pub(crate) namespace: String,
    /// The operator's own name.
    pub(crate) me: String,
    /// The name of the Lease.
    pub(crate) lease: String,
    /// Time limit for reaching store and broker at the start.
    pub(crate) connect_timeout: Duration,
    /// The address of the probe.
    pub(crate) listen: Option<SocketAddr>,
    /// Cluster-wide settings of workers.
    pub(crate) workers: WorkerSettings,
}

impl OperatorConfig {
    /// Validates `args`. Fails with all problems; no problem shows the password.
    pub fn of(args: Args) -> Result<Self, Vec<String>> {
        let typed = args.store.unwrap_or_default();
        let store =
            Location::parse(&typed, Path::new("/")).map_err(|error| format!("--store: {error}"));
        let broker = args.broker.unwrap_or_default().address();
        let broker = broker.map_err(|error| format!("--broker: {error}"));
        match (store, broker) {
            (Ok(store), Ok(broker)) => Ok(Self {
                store,
                broker,
                namespace: args.namespace.unwrap_or_default(),
                me: args.name.unwrap_or_else(process_name),
                lease: args.lease,
                connect_timeout: args.connect_timeout,
                listen: args.listen,
                workers: args.workers.workers(typed),
            }),
            (store, broker) => Err(store.err().into_iter().chain(broker.err()).collect()),
        }
    }
}
