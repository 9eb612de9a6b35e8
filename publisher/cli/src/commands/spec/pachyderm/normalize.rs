//! From the description of a pipeline to the contained spec.

use serde_json::{Map, Value};

/// State added by the server, no part of the author's text.
const STATE: &[&str] = &[
    "auth_token",
    "commit_time",
    "created_at",
    "effective_spec_json",
    "githook_url",
    "id",
    "job_counts",
    "last_job_state",
    "parallelism",
    "reason",
    "recent_error",
    "s3_out_started",
    "salt",
    "spec_commit",
    "state",
    "state_str",
    "stopped",
    "type",
    "unclaimed_tasks",
    "update",
    "user_spec_json",
    "version",
    "worker_rc",
    "workers_available",
    "workers_requested",
];

/// Fields of whole numbers, written as text in the JSON of protobuf.
const NUMBERS: &[&str] = &[
    "accept_return_code",
    "constant",
    "datum_tries",
    "gid",
    "max_queue_size",
    "number",
    "per_worker",
    "priority",
    "size_bytes",
    "uid",
];

/// The spec of a description, in `snake_case`: the author's text if the server kept that text, else the fields of the
/// description without state and plain defaults, and with numbers as numbers.
pub(super) fn spec(described: Value) -> Value {
    let Value::Object(mut fields) = snake_cased(described) else {
        return Value::Null;
    };
    let details = fields.remove("details");
    let mut whole = Map::new();
    for part in [Some(Value::Object(fields)), details].into_iter().flatten() {
        if let Value::Object(part) = part {
            whole.extend(part);
        }
    }
    if let Some(written) = written(&whole) {
        return snake_cased(written);
    }
    for name in STATE {
        whole.remove(*name);
    }
    let mut spec = Value::Object(whole);
    tidy(&mut spec);
    spec
}

/// The text of the author, kept by newer servers.
fn written(fields: &Map<String, Value>) -> Option<Value> {
    let text = fields.get("user_spec_json")?.as_str()?;
    let written: Value = serde_json::from_str(text).ok()?;
    written.get("pipeline").is_some().then_some(written)
}

/// Names of fields in `snake_case`. Names below `env`, labels and the like are data, and stay.
fn snake_cased(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(snake_cased).collect(),
        Value::Object(fields) => {
            let renamed = fields.into_iter().map(|(name, value)| {
                let name = snake_case(&name);
                let is_data = matches!(
                    name.as_str(),
                    "env" | "labels" | "annotations" | "node_selector" | "pod_spec" | "pod_patch"
                );
                (name, if is_data { value } else { snake_cased(value) })
            });
            Value::Object(renamed.collect())
        }
        plain => plain,
    }
}

/// A name of capitals alone, as `URL`, is no composed word.
fn snake_case(name: &str) -> String {
    if name.chars().all(|each| each.is_ascii_uppercase()) {
        return name.to_owned();
    }
    let mut snake = String::with_capacity(name.len() + 4);
    for each in name.chars() {
        if each.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(each.to_ascii_lowercase());
    }
    snake
}

/// Removes empty values, the absent ones of descriptions, and reads numbers.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                // Empty lines and arguments of a command mean something.
                if matches!(
                    name.as_str(),
                    "cmd" | "stdin" | "err_cmd" | "err_stdin" | "env"
                ) {
                    continue;
                }
                tidy(value);
                if NUMBERS.contains(&name.as_str()) {
                    read_numbers(value);
                }
            }
            fields.retain(|name, value| !is_nothing(value) && !is_default(name, value));
        }
        _ => {}
    }
}

/// Reads a text of digits, and those of a list, as numbers.
fn read_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(read_numbers),
        Value::String(text) => {
            if let Ok(number) = text.parse::<u64>() {
                *value = number.into();
            }
        }
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(number) => number.as_u64() == Some(0),
    }
}

/// Fields filled in by a server with their default value.
fn is_default(name: &str, value: &Value) -> bool {
    matches!(
        (name, value.as_str()),
        ("branch" | "output_branch", Some("master"))
            | ("repo_type", Some("user"))
            | ("project" | "project_name", Some("default"))
    ) || name == "project" && value["name"] == "default"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_description_is_reduced_to_its_spec() {
        let described = json!({
            "pipeline": {"project": {"name": "default"}, "name": "edges"},
            "version": "3", "specCommit": {"id": "abc"}, "state": "PIPELINE_RUNNING", "stopped": false, "type": "PIPELINE_TYPE_TRANSFORM",
            "details": {
                "transform": {"image": "edges:1", "cmd": ["python3", "/edges.py", ""], "env": {"maxSize": "0"}},
                "input": {"pfs": {"name": "images", "repo": "images", "repoType": "user", "branch": "master", "glob": "/*", "joinOn": "", "lazy": false}},
                "parallelismSpec": {"constant": "4"}, "datumTries": "3", "outputBranch": "master", "createdAt": "2024-01-01T00:00:00Z",
                "workersRequested": "4", "reason": "", "salt": "x",
            },
        });
        let expected = json!({
            "pipeline": {"name": "edges"},
            "transform": {"image": "edges:1", "cmd": ["python3", "/edges.py", ""], "env": {"maxSize": "0"}},
            "input": {"pfs": {"name": "images", "repo": "images", "glob": "/*"}},
            "parallelism_spec": {"constant": 4}, "datum_tries": 3,
        });
        assert_eq!(spec(described), expected);
    }

    #[test]
    fn the_text_of_the_author_counts_if_the_server_kept_it() {
        let written = json!({"pipeline": {"name": "edges"}, "datumTries": 5});
        let described = json!({"pipeline": {"name": "edges"}, "details": {"datumTries": "5", "userSpecJson": written.to_string()}});
        assert_eq!(
            spec(described),
            json!({"pipeline": {"name": "edges"}, "datum_tries": 5})
        );
    }
}
