//! What is meant by a command line.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use drover_shared::process::process_name;
use drover_shared::queue::rabbitmq::Address;
use drover_shared::store::Location;

use crate::args::Args;
use crate::settings::Workers;

/// What the operator was asked to do.
#[derive(Clone, Debug)]
pub struct Request {
    /// The store.
    pub(crate) store: Location,
    /// The broker.
    pub(crate) broker: Address,
    /// The namespace whose pipelines it tends.
    pub(crate) namespace: String,
    /// Its own name.
    pub(crate) me: String,
    /// The Lease.
    pub(crate) lease: String,
    /// How long store and broker may take to be reached at the start.
    pub(crate) connect_timeout: Duration,
    /// Where it answers probes.
    pub(crate) listen: Option<SocketAddr>,
    /// How workers are run.
    pub(crate) workers: Workers,
}

impl Request {
    /// What is meant by `args`; or all that makes no sense, without the password.
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
