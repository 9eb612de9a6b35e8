//! User, group and capabilities of a pod.
//!
//! The default conforms to the *restricted* pod security standard. `transform.user` is the exception: a number becomes
//! the user of the whole pod. A name can only be resolved in the image, so the worker runs as root there and switches
//! to the named user. A volume store belongs to a single user; for any user but that the worker runs as root too, because a
//! worker must be able to write to the store whichever user the commands have.

use serde_json::{Value, json};

use super::ObjectInput;

/// Capabilities that a root worker needs to run a command as another user, to hand over directories, and to end the
/// command.
const TO_BECOME_ANOTHER: [&str; 6] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "SETGID",
    "SETUID",
];

/// The user of the worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum User {
    /// A numeric user for the worker and the commands.
    Number { user: u32, group: u32 },
    /// The worker is root and switches to a user name of the image.
    Switching,
}

impl User {
    fn of(input: &ObjectInput<'_>) -> Self {
        let default = input.workers.user;
        let Some(typed) = input.desired.pipeline.transform.user.as_deref() else {
            return Self::Number {
                user: default,
                group: default,
            };
        };
        let (user, group) = typed
            .split_once(':')
            .map_or((typed, None), |(user, group)| (user, Some(group)));
        // Without a group the group is root's, as for every other worker.
        match (number(user), group.map_or(Some(0), number)) {
            (Some(user), Some(group)) if can_use_store(user, input) => Self::Number { user, group },
            _ => Self::Switching,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    if text == "root" {
        Some(0)
    } else {
        text.parse().ok()
    }
}

/// True if `user` may write to the store: a bucket is open to every holder of its credentials, a volume to its owner.
fn can_use_store(user: u32, input: &ObjectInput<'_>) -> bool {
    input.workers.store_claim.is_none() || user == input.workers.user
}

/// The security context of the pod.
pub(super) fn pod(input: &ObjectInput<'_>) -> Value {
    let (user, group) = match User::of(input) {
        User::Number { user, group } => (user, group),
        User::Switching => (0, 0),
    };
    // A changing fsGroup would make the kubelet change every file of the store for each pod.
    let group_of_volumes = match input.workers.store_claim {
        Some(_) => input.workers.user,
        None => group,
    };
    json!({
        "runAsNonRoot": user != 0,
        "runAsUser": user,
        "runAsGroup": group,
        "fsGroup": group_of_volumes,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

/// The security context of the worker's container.
pub(super) fn worker(input: &ObjectInput<'_>) -> Value {
    let mut capabilities = json!({ "drop": ["ALL"] });
    if User::of(input) == User::Switching {
        capabilities["add"] = json!(TO_BECOME_ANOTHER);
    }
    json!({ "allowPrivilegeEscalation": false, "capabilities": capabilities })
}

/// The security context of the container that installs the worker's binary.
pub(super) fn installer() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
    })
}
