//! As whom a pod runs, and with how few rights.
//!
//! By default as the *restricted* pod security standard demands. `transform.user` is the exception where it has to be: a
//! number is who the whole pod runs as; a name can only be looked up in the image, by a worker that is root there and
//! may become somebody else. Where the store is a volume, whose files belong to one user, so it is with any other user:
//! the worker must be able to write there, whoever its commands run as.

use serde_json::{Value, json};

use super::Recipe;

/// What a root worker needs to run a command as somebody else, hand it its directories, and end it.
const TO_BECOME_ANOTHER: [&str; 6] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "SETGID",
    "SETUID",
];

/// Who the worker is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum User {
    /// This one, and so are its commands.
    Number { user: u32, group: u32 },
    /// Root, and becomes whom the image knows by a name.
    Switching,
}

impl User {
    fn of(recipe: &Recipe<'_>) -> Self {
        let default = recipe.workers.user;
        let Some(typed) = recipe.wanted.pipeline.transform.user.as_deref() else {
            return Self::Number {
                user: default,
                group: default,
            };
        };
        let (user, group) = typed
            .split_once(':')
            .map_or((typed, None), |(user, group)| (user, Some(group)));
        // Without a group it is root's, as for the worker anywhere else.
        match (number(user), group.map_or(Some(0), number)) {
            (Some(user), Some(group)) if can_use_store(user, recipe) => {
                Self::Number { user, group }
            }
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

/// A bucket is open to whoever has its credentials, a volume to the user whose it is.
fn can_use_store(user: u32, recipe: &Recipe<'_>) -> bool {
    recipe.workers.store_claim.is_none() || user == recipe.workers.user
}

/// What holds for the whole pod.
pub(super) fn pod(recipe: &Recipe<'_>) -> Value {
    let (user, group) = match User::of(recipe) {
        User::Number { user, group } => (user, group),
        User::Switching => (0, 0),
    };
    // Each pod with another group than the one before would have the kubelet change every file of a store.
    let group_of_volumes = match recipe.workers.store_claim {
        Some(_) => recipe.workers.user,
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

/// What holds for the worker's container.
pub(super) fn worker(recipe: &Recipe<'_>) -> Value {
    let mut capabilities = json!({ "drop": ["ALL"] });
    if User::of(recipe) == User::Switching {
        capabilities["add"] = json!(TO_BECOME_ANOTHER);
    }
    json!({ "allowPrivilegeEscalation": false, "capabilities": capabilities })
}

/// What holds for the container that copies the worker's binary.
pub(super) fn installer() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "capabilities": { "drop": ["ALL"] },
        "readOnlyRootFilesystem": true,
    })
}
