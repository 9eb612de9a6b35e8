//! The broker of the process, which may not be connected yet.

use std::sync::{Arc, OnceLock};

use drover_shared::queue::{Broker, Link};

/// Broker of the process that offers the API.
#[derive(Clone)]
pub enum BrokerHandle {
    /// A queue inside the current process.
    Embedded(Arc<dyn Broker>),
    /// A remote broker; the cell is empty until the first connection.
    Remote(Arc<OnceLock<Arc<dyn Broker>>>),
}

impl BrokerHandle {
    /// The broker; none before the first connection.
    pub fn get(&self) -> Option<&Arc<dyn Broker>> {
        match self {
            Self::Embedded(broker) => Some(broker),
            Self::Remote(broker) => broker.get(),
        }
    }

    /// The broker; none while the connection is down or blocked.
    pub(crate) fn reachable(&self) -> Option<&Arc<dyn Broker>> {
        self.get().filter(|_| self.link() == Link::Up)
    }

    /// State of the connection.
    pub(crate) fn link(&self) -> Link {
        let never = || Link::Down {
            why: "not connected yet".to_owned(),
        };
        self.get().map_or_else(never, |broker| broker.link())
    }
}
