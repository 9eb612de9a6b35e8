//! Several nodes that form one cluster: they share users, vhosts and the replicas of quorum queues.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::installation::BrokerSource;
use super::{Node, Rabbit};

impl Rabbit {
    /// Starts a cluster of so many nodes. Each can be stopped, killed and started again by itself.
    pub fn start_cluster(size: usize) -> Vec<Self> {
        let mut nodes: Vec<Node> = Vec::new();
        let cookie = crate::unique("cookie");
        for _ in 0..size {
            let mut node = Node::prepare(BrokerSource::look().installation(), "");
            node.write_cookie(&cookie);
            // Nodes find each other's ports by one port mapper, which the first of them starts.
            node.epmd_port = nodes
                .first()
                .map_or(node.epmd_port, |first| first.epmd_port);
            node.boot();
            nodes.push(node);
        }
        let nodes: Vec<_> = nodes.into_iter().map(Self::of).collect();
        Self::join(&nodes);
        nodes
    }

    /// Joins fresh nodes to the first one.
    fn join(nodes: &[Self]) {
        let Some((first, others)) = nodes.split_first() else {
            return;
        };
        let first = first.node().name();
        for other in others {
            other.ctl(&["stop_app"]);
            other.ctl(&["join_cluster", &first]);
            other.ctl(&["start_app"]);
        }
    }

    /// Kills all nodes of a cluster, which comes back with nothing.
    pub fn lose_cluster(nodes: &[Self]) {
        nodes.iter().for_each(Self::lose_everything);
        Self::start_all_again(nodes);
        Self::join(nodes);
    }

    /// Starts killed nodes at the same time: a node waits for those that it knew as running.
    pub fn start_all_again(nodes: &[Self]) {
        std::thread::scope(|scope| {
            for node in nodes {
                scope.spawn(|| node.start_again());
            }
        });
    }

    /// The URL of the default vhost with the address of each node, in this order.
    pub fn cluster_url(nodes: &[Self]) -> String {
        let hosts = nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port()));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        format!("amqp://guest:guest@{hosts}/%2f")
    }
}

impl Node {
    /// Writes the secret by which the nodes of a cluster know each other.
    fn write_cookie(&self, cookie: &str) {
        let name = ".erlang.cookie";
        self.write(name, cookie);
        let owner_only = fs::Permissions::from_mode(0o400);
        fs::set_permissions(self.outside().join(name), owner_only).expect("the file is ours");
    }
}
