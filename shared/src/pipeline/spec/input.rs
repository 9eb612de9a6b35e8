//! Where datums come from, as typed.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// The source of datums: exactly one of the fields.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(in crate::pipeline) struct Input {
    /// Files or directories of one repo.
    pub(in crate::pipeline) pfs: Option<Pfs>,
    /// Every combination of the datums of the inputs.
    pub(in crate::pipeline) cross: Option<Vec<Input>>,
    /// The datums of the inputs, input by input.
    pub(in crate::pipeline) union: Option<Vec<Input>>,
    /// The combinations of the inputs' datums with a common key, the `join_on` of each input.
    pub(in crate::pipeline) join: Option<Vec<Input>>,
    /// A datum for each key, the `group_by` of each file of the inputs.
    pub(in crate::pipeline) group: Option<Vec<Input>>,
    /// Ticks of a clock. Registered pipelines only.
    pub(in crate::pipeline) cron: Option<Cron>,
}

/// Files or directories of one repo.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Pfs {
    /// The directory below `/pfs` and the prefix of the input's environment variables. By default the repo.
    #[schemars(example = &"texts")]
    pub(in crate::pipeline) name: Option<String>,
    /// The folder of the store, or the name of an upstream pipeline. Required unless `url` is given.
    #[schemars(example = &"texts")]
    pub(in crate::pipeline) repo: Option<String>,
    /// Explicit location of the repo: a bucket or a folder.
    #[schemars(example = &"s3://corpus/texts")]
    pub(in crate::pipeline) url: Option<String>,
    /// Which files or directories are datums. Required.
    #[schemars(example = &"/*", example = &"/", example = &"/*/(*).csv")]
    pub(in crate::pipeline) glob: Option<String>,
    /// The key for `join`, made of the captures of the glob.
    #[schemars(example = &"$1")]
    pub(in crate::pipeline) join_on: Option<String>,
    /// In a `join`, keep files without a partner.
    pub(in crate::pipeline) outer_join: Option<bool>,
    /// The key for `group`, made of the captures of the glob.
    #[schemars(example = &"$1")]
    pub(in crate::pipeline) group_by: Option<String>,
    /// Make the files FIFOs, filled when they are opened.
    pub(in crate::pipeline) lazy: Option<bool>,
    /// Give the files names but no bytes.
    pub(in crate::pipeline) empty_files: Option<bool>,
    /// Leave out matching directories.
    pub(in crate::pipeline) files_only: Option<bool>,
    /// A glob or a list of globs over full paths: a match leaves out a file, or a directory with its whole subtree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "one_or_many", example = &"**.tmp", example = ["/logs", "**/.git"])]
    pub(in crate::pipeline) exclude: Vec<String>,
}

/// Ticks of a clock, each an empty file named after its time.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::pipeline) struct Cron {
    /// The directory below `/pfs`. Required.
    #[schemars(example = &"tick")]
    pub(in crate::pipeline) name: Option<String>,
    /// The folder of the store for the ticks. By default `<pipeline>_<name>`.
    pub(in crate::pipeline) repo: Option<String>,
    /// Five cron fields, `@every 90s`, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly` or `@never`. Required.
    #[schemars(example = &"@every 1h", example = &"30 4 * * 1-5")]
    pub(in crate::pipeline) spec: Option<String>,
    /// The time zone of the cron fields, from the IANA database.
    #[schemars(extend("default" = "UTC"), example = &"Europe/Berlin")]
    pub(in crate::pipeline) tz: Option<String>,
    /// Where the schedule begins, in RFC 3339. By default when the pipeline was created.
    #[schemars(example = &"2026-01-01T00:00:00Z")]
    pub(in crate::pipeline) start: Option<String>,
    /// Let a tick replace earlier ticks.
    pub(in crate::pipeline) overwrite: Option<bool>,
}

/// A text or a list of texts; normalized to a list.
pub(super) fn one_or_many(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["array", "string"], "items": { "type": "string" } })
}
