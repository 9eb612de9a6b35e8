//! Which messages share a connection. Pure.

use std::collections::HashMap;

use super::target::PublishTarget;

/// Messages under way, by connection and by target.
///
/// All messages under way to a target use the same connection and channel, so their order is kept. A target
/// without messages under way gets the connection with the fewest; so publishers that take turns share the first
/// connection, and publishers at the same time spread over all.
#[derive(Debug)]
pub(super) struct Assignment {
    connections: Vec<usize>,
    targets: HashMap<PublishTarget, Assigned>,
}

#[derive(Debug)]
struct Assigned {
    connection: usize,
    messages: usize,
}

impl Assignment {
    /// `connections` is at least 1.
    pub(super) fn new(connections: usize) -> Self {
        Self {
            connections: vec![0; connections],
            targets: HashMap::new(),
        }
    }

    /// Assigns a message; returns the number of the connection.
    pub(super) fn begin(&mut self, target: &PublishTarget) -> usize {
        let connection = if let Some(assigned) = self.targets.get_mut(target) {
            assigned.messages += 1;
            assigned.connection
        } else {
            let connection = self.least_used();
            let assigned = Assigned {
                connection,
                messages: 1,
            };
            self.targets.insert(target.clone(), assigned);
            connection
        };
        self.connections[connection] += 1;
        connection
    }

    /// Ends a message that [`begin`](Self::begin) assigned.
    pub(super) fn end(&mut self, target: &PublishTarget) {
        let Some(assigned) = self.targets.get_mut(target) else {
            return;
        };
        assigned.messages -= 1;
        self.connections[assigned.connection] -= 1;
        if assigned.messages == 0 {
            self.targets.remove(target);
        }
    }

    fn least_used(&self) -> usize {
        let each = self.connections.iter().enumerate();
        each.min_by_key(|(_, messages)| **messages)
            .map_or(0, |(connection, _)| connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::Queue;

    fn target(pipeline: &str) -> PublishTarget {
        PublishTarget::Queue(Queue::Datums(pipeline.parse().unwrap()))
    }

    #[test]
    fn messages_under_way_to_one_target_share_a_connection() {
        let mut assignment = Assignment::new(3);
        let (a, b, c, d) = (target("a"), target("b"), target("c"), target("d"));
        assert_eq!(assignment.begin(&a), 0);
        assert_eq!(assignment.begin(&b), 1);
        assert_eq!(assignment.begin(&a), 0);
        assert_eq!(assignment.begin(&c), 2);
        assert_eq!(assignment.begin(&d), 1, "the first of the least used");
        assignment.end(&a);
        assert_eq!(assignment.begin(&a), 0, "one message of it is under way");
    }

    #[test]
    fn publishers_that_take_turns_use_one_connection() {
        let mut assignment = Assignment::new(2);
        for pipeline in ["a", "b", "a", "c"] {
            assert_eq!(assignment.begin(&target(pipeline)), 0);
            assignment.end(&target(pipeline));
        }
        assert!(assignment.targets.is_empty(), "targets are forgotten");
        assert_eq!(assignment.connections, [0, 0]);
    }
}
