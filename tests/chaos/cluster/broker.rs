//! The broker of a cluster: one node, or several that hold replicas of the queues.

use drover_tests::{Rabbit, Random};

/// At least one node.
pub(super) struct ChaosBroker(Vec<Rabbit>);

impl ChaosBroker {
    pub(super) fn start(nodes: usize) -> Self {
        Self(Rabbit::start_cluster(nodes))
    }

    /// The default vhost, by the addresses of all nodes.
    pub(super) fn url(&self) -> String {
        Rabbit::cluster_url(&self.0)
    }

    /// The node that a link leads to: the nodes take turns.
    pub(super) fn node(&self, link: usize) -> &Rabbit {
        &self.0[link % self.0.len()]
    }

    /// A node restarts in good order.
    pub(super) fn restart(&self, random: &mut Random) {
        self.0[random.index(self.0.len())].restart();
    }

    /// Some nodes are killed, possibly all, and start again.
    pub(super) fn kill(&self, random: &mut Random) {
        let killed = &self.0[random.index(self.0.len())..];
        killed.iter().for_each(Rabbit::remembers_replicas);
        killed.iter().for_each(Rabbit::kill);
        Rabbit::start_all_again(killed);
    }

    /// All nodes are killed, and come back with nothing.
    pub(super) fn lose_everything(&self) {
        Rabbit::lose_cluster(&self.0);
    }
}
