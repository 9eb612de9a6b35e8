//! Validation by the API server beyond types: CEL rules across fields, and the bounds that limit the cost of each rule.
//!
//! The rules repeat checks of `drover validate`, so `kubectl apply` refuses the same mistakes immediately.

use serde_json::{Map, Value, json};

/// A CEL rule, and the message for a spec that violates the rule.
pub(super) type Rule = (&'static str, &'static str);

/// The operator's objects are named `drover-<name>`, and a label holds the name.
pub(super) const NAME: Rule = (
    "self.metadata.name.size() <= 50",
    "the name of a Pipeline has at most 50 characters, as the objects made for it are named after it",
);

/// The largest number of items in a list whose items have rules of their own.
pub(super) const MAX_ITEMS: u32 = 1000;

/// The CEL rules of an object, by the name of its schema.
pub(super) fn rules(object: &str) -> &'static [Rule] {
    match object {
        "Pipeline" => &[
            (
                "(has(self.pipeline) && has(self.pipeline.name)) == (has(oldSelf.pipeline) && has(oldSelf.pipeline.name)) \
                 && (!has(self.pipeline) || !has(self.pipeline.name) || self.pipeline.name == oldSelf.pipeline.name)",
                "the name of a pipeline can't change, as its output folder and its records bear it; make another Pipeline",
            ),
            (
                "!(has(self.standby) && !self.standby && has(self.standby_after))",
                "`standby_after` contradicts `standby: false`; remove one of them",
            ),
            (
                "!(has(self.datum_set_spec) && has(self.chunk_spec))",
                "`chunk_spec` is the older name of `datum_set_spec`; keep one of them",
            ),
        ],
        "Input" => &[
            (
                "has(self.pfs) || has(self.cross) || has(self.union) || has(self.join) || has(self.group) || has(self.cron)",
                "the input is empty: give one of `pfs`, `cross`, `union`, `join`, `group` and `cron`",
            ),
            (
                "(has(self.pfs) ? 1 : 0) + (has(self.cross) ? 1 : 0) + (has(self.union) ? 1 : 0) + (has(self.join) ? 1 : 0) \
                 + (has(self.group) ? 1 : 0) + (has(self.cron) ? 1 : 0) <= 1",
                "the input has two kinds: keep one of `pfs`, `cross`, `union`, `join`, `group` and `cron`, or combine \
                 several inputs by `cross`, `union`, `join` or `group`",
            ),
        ],
        "Parallelism" => &[(
            "!(has(self.constant) && self.constant > 0 && has(self.coefficient) && self.coefficient > 0.0)",
            "`constant` contradicts `coefficient`; keep one of them",
        )],
        "DatumSet" => &[(
            "!(has(self.per_worker) && self.per_worker > 0 && ((has(self.number) && self.number > 0) || (has(self.size_bytes) && self.size_bytes > 0)))",
            "`per_worker` contradicts `number` and `size_bytes`; keep one of them",
        )],
        "Secret" => &[
            (
                "has(self.mount_path) || has(self.env_var)",
                "the secret is not put anywhere: give `mount_path` for files, or `env_var` and `key` for a variable",
            ),
            (
                "!has(self.env_var) || has(self.key)",
                "`env_var` holds one key of the secret: name it in `key`",
            ),
        ],
        "Toleration" => &[
            (
                "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
                "name the taint in `key`, or tolerate every one with `operator: Exists`",
            ),
            (
                "!(has(self.operator) && self.operator == 'Exists' && has(self.value))",
                "`value` contradicts `operator: Exists`, which looks at the key alone",
            ),
            (
                "!has(self.seconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "`seconds` has no meaning here: only a `NoExecute` taint is tolerated for a time",
            ),
        ],
        _ => &[],
    }
}

/// The required fields of an object, by the name of its schema.
pub(super) fn required(object: &str) -> &'static [&'static str] {
    match object {
        "Pipeline" => &["transform", "input"],
        "Transform" => &["cmd"],
        "Identity" | "Secret" => &["name"],
        "Pfs" => &["glob"],
        "Cron" => &["name", "spec"],
        "Gpu" => &["type", "number"],
        _ => &[],
    }
}

/// Bounds of a field beyond its type.
pub(super) fn bounds(object: &str, field: &str) -> Map<String, Value> {
    let bounds = match (object, field) {
        ("Identity", "name") => {
            json!({ "maxLength": 63, "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$" })
        }
        ("Transform", "cmd") => json!({ "minItems": 1 }),
        ("Transform", "secrets") | ("Pipeline", "tolerations") => json!({ "maxItems": 64 }),
        ("Secret", "name") => json!({ "minLength": 1, "maxLength": 253 }),
        ("Gpu", "number") => json!({ "minimum": 1 }),
        _ => json!({}),
    };
    match bounds {
        Value::Object(bounds) => bounds,
        _ => Map::new(),
    }
}
