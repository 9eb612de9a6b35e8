//! The user's command and its surroundings.

use std::collections::BTreeMap;

/// Prefix of variables that a worker passes only to commands, such as [`Transform::secrets`]. The worker removes the
/// prefix; a variable therefore reaches commands under any name and has no effect on the worker itself.
pub const GIVEN_PREFIX: &str = "DROVER_GIVEN_";

/// The resolved transform: the user's command and its surroundings.
#[derive(Clone, Debug, Default)]
pub struct Transform {
    /// The container image; empty when not given. Not used by `drover run`.
    pub image: String,
    /// The argv of the command, executed without a shell; never empty.
    pub cmd: Vec<String>,
    /// Lines for the command's standard input, joined by `\n` and ended by a `\n`.
    pub stdin: Vec<String>,
    /// The argv run once after the last failed attempt; empty when not given.
    pub err_cmd: Vec<String>,
    /// Lines for `err_cmd`'s standard input.
    pub err_stdin: Vec<String>,
    /// Exit codes besides 0 that count as success.
    pub accept_return_code: Vec<i32>,
    /// Environment of the command.
    pub env: BTreeMap<String, String>,
    /// Kubernetes secrets given to the command.
    pub secrets: Vec<Secret>,
    /// `name|uid[:group|gid]` to run as; none keeps the worker's own.
    pub user: Option<String>,
    /// Working directory; none keeps the image's, or the caller's under `drover run`.
    pub working_dir: Option<String>,
    /// True if `/pfs` lies in memory.
    pub memory_volume: bool,
    /// True if the command is started once and asks for one datum after the other.
    pub datum_batching: bool,
    /// True if `{}`, `{/}`, `{name}` and the like are replaced in `cmd` and `err_cmd`.
    pub placeholders: bool,
}

/// A Kubernetes secret given to the command, as a file, a variable or both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Secret {
    /// Name of the Kubernetes secret.
    pub name: String,
    /// The key within the secret, for `env_var`.
    pub key: Option<String>,
    /// Where to mount the whole secret.
    pub mount_path: Option<String>,
    /// The variable for the key's value.
    pub env_var: Option<String>,
}
