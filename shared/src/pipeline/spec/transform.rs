//! The command and its surroundings, as typed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// The command and its surroundings.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Transform {
    /// The container image of the worker pods. Not used by `drover run`, which runs the command on the local machine.
    #[schemars(example = &"python:3.13-slim")]
    pub(in crate::pipeline) image: Option<String>,
    /// The command and its arguments, executed without a shell, once for each datum. Required.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["python3", "/code/count.py"])]
    pub(in crate::pipeline) cmd: Vec<String>,
    /// Lines for the standard input of the command; with `cmd: [sh]`, a script.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["wc -w /pfs/texts/* > /pfs/out/counts"])]
    pub(in crate::pipeline) stdin: Vec<String>,
    /// A command run once after the last failed attempt of a datum, with the same inputs; if it succeeds, the datum is `recovered` and does not fail the job.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["true"])]
    pub(in crate::pipeline) err_cmd: Vec<String>,
    /// Lines for the standard input of `err_cmd`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::pipeline) err_stdin: Vec<String>,
    /// Exit codes besides 0 that count as success.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(range(min = 0, max = 255)), example = [1])]
    pub(in crate::pipeline) accept_return_code: Vec<i32>,
    /// Environment variables of the command.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::pipeline) env: BTreeMap<String, String>,
    /// Kubernetes secrets given to the command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::pipeline) secrets: Vec<Secret>,
    /// Kubernetes secrets with which the image is pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = ["registry-login"])]
    pub(in crate::pipeline) image_pull_secrets: Vec<String>,
    /// The user to run as: a name or number, with a group after `:` if wanted. By default the worker's own.
    #[schemars(example = &"nobody:nogroup")]
    pub(in crate::pipeline) user: Option<String>,
    /// The working directory of the command. By default the image's, or the caller's under `drover run`.
    #[schemars(example = &"/code")]
    pub(in crate::pipeline) working_dir: Option<String>,
    /// Keep `/pfs` in memory.
    pub(in crate::pipeline) memory_volume: Option<bool>,
    /// Start the command once for many datums: the command calls `next-datum` for each datum, and is killed after the last one.
    pub(in crate::pipeline) datum_batching: Option<bool>,
    /// Replace `{}`, `{/}`, `{name}` and the like in `cmd` and `err_cmd`, for each datum.
    pub(in crate::pipeline) placeholders: Option<bool>,
}

/// A Kubernetes secret given to the command: as files, as a variable, or both.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Secret {
    /// The name of the secret. Required.
    #[schemars(example = &"database")]
    pub(in crate::pipeline) name: Option<String>,
    /// The key within the secret, for `env_var`.
    #[schemars(example = &"password")]
    pub(in crate::pipeline) key: Option<String>,
    /// The directory in which each key of the secret is a file.
    #[schemars(example = &"/secrets/database")]
    pub(in crate::pipeline) mount_path: Option<String>,
    /// The environment variable for the value of `key`.
    #[schemars(example = &"PASSWORD")]
    pub(in crate::pipeline) env_var: Option<String>,
}
