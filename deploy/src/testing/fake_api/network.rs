//! A network between a client and the fake API server that can lose the packets of either direction.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The network of one client. Cheap to clone; all clones are the same network.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeNetwork(Arc<LostDirections>);

#[derive(Debug, Default)]
struct LostDirections {
    requests: AtomicBool,
    responses: AtomicBool,
}

impl FakeNetwork {
    /// Loses all further requests, all further responses, or both. Lost packets are neither delivered nor refused.
    pub(crate) fn lose(&self, requests: bool, responses: bool) {
        self.0.requests.store(requests, Ordering::SeqCst);
        self.0.responses.store(responses, Ordering::SeqCst);
    }

    pub(super) async fn pass_request(&self) {
        if self.0.requests.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }

    pub(super) async fn pass_response(&self) {
        if self.0.responses.load(Ordering::SeqCst) {
            pending::<()>().await;
        }
    }
}
