//! Every field of the reference is read, noted or refused; every field of ours is documented.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::pipeline::fields::{OBJECTS, Support, UNSUPPORTED_FIELDS};
use crate::pipeline::schema;
use crate::pipeline::schema::{CHECKED, properties, resolve};

/// A spec with every field that can be combined with the others.
const EVERYTHING: &str = r#"
pipeline: {name: everything}
description: all of it
metadata: {annotations: {example.com/team: data}, labels: {team: data}}
transform:
  image: alpine
  cmd: [sh]
  stdin: [echo]
  err_cmd: [sh]
  err_stdin: [echo]
  accept_return_code: [1]
  env: {camel_Case: kept}
  secrets: [{name: s, key: k, mount_path: /s, env_var: S}]
  image_pull_secrets: [login]
  user: nobody:nogroup
  working_dir: /code
  memory_volume: true
  placeholders: true
input:
  union:
  - join:
    - pfs: {name: a, repo: r, url: "s3://b/r", glob: "/(*)", join_on: $1, outer_join: true, lazy: true, exclude: /x}
  - group:
    - pfs: {repo: r, glob: "/(*)", group_by: $1, empty_files: true, files_only: true}
  - cross:
    - cron: {name: tick, repo: ticks, spec: "@daily", tz: Europe/Berlin, start: "2026-01-01T00:00:00Z", overwrite: true}
parallelism_spec: {constant: 2}
datum_tries: 5
memory_tries: 4
max_failures: 5%
keep_going: true
priority: high
share: 4
limits: [{running: 20}, {rate: 100/min}, {use: licence}]
stragglers: wait
max_datums: 1000
datum_timeout: 5m
job_timeout: 1h
reprocess_spec: every_job
max_queue_size: 4
datum_set_spec: {number: 10}
code: [lib, "models/*.bin"]
retention: {jobs: 10, logs: 7d, failed_logs: 14d}
output_conflict: error
egress: {URL: "s3://b/out"}
notify: [{on: [failure, standstill], webhook: "https://h.example/x", signing_key: k, timeout: 1m, standstill_after: 1h}]
standby: true
standby_after: 10m
autoscaling: true
resource_requests: {cpu: 0.5, memory: 64M, disk: 1Gi, gpu: {type: nvidia.com/gpu, number: 1}}
resource_limits: {cpu: 1, memory: 128M, disk: 2Gi, gpu: {type: nvidia.com/gpu, number: 1}}
max_memory: 1Gi
scheduling_spec: {node_selector: {pool: batch}, priority_class_name: low}
tolerations: [{key: a, operator: Equal, value: b, effect: NO_EXECUTE, seconds: 5}]
pod_spec: "{}"
pod_patch: "[]"
"#;

/// Fields that contradict a field of [`EVERYTHING`], each with its object.
const ELSEWHERE: [(&str, &str, &str); 7] = [
    ("Pipeline", "chunk_spec", "chunk_spec: {number: 1}"),
    (
        "Parallelism",
        "coefficient",
        "parallelism_spec: {coefficient: 0.5}",
    ),
    ("Notification", "command", "notify: [{command: [mail]}]"),
    ("DatumSet", "size_bytes", "datum_set_spec: {size_bytes: 5}"),
    ("DatumSet", "per_worker", "datum_set_spec: {per_worker: 5}"),
    (
        "Egress",
        "object_storage",
        "egress: {object_storage: {url: 's3://b'}}",
    ),
    (
        "ObjectStorage",
        "url",
        "egress: {object_storage: {url: 's3://b'}}",
    ),
];

/// The place of an object, as in the headings of the document.
fn place(object: &str) -> Option<&'static str> {
    OBJECTS
        .iter()
        .find(|(name, _)| *name == object)
        .map(|(_, place)| *place)
}

/// The fields of all objects of a schema, as (object, field).
fn fields_of(schema: &Value) -> BTreeSet<(String, String)> {
    let named = |object: &str, schema: &Value| {
        let fields = properties(schema).into_iter().flat_map(Map::keys);
        fields
            .map(|field| (object.to_owned(), field.clone()))
            .collect::<Vec<_>>()
    };
    let definitions = schema["$defs"].as_object().unwrap();
    let below = definitions
        .iter()
        .flat_map(|(object, schema)| named(object, schema));
    below.chain(named("Pipeline", schema)).collect()
}

/// The fields of a value, as (object, field), following the schema.
fn fields_in(value: &Value, schema: &Value, found: &mut BTreeSet<(String, String)>) {
    let (object, schema) = resolve(schema);
    if let (Some(fields), Some(known)) = (value.as_object(), properties(schema)) {
        for (field, value) in fields {
            found.insert((object.to_owned(), field.clone()));
            fields_in(value, &known[field], found);
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fields_in(item, &schema["items"], found);
    }
}

#[test]
fn every_field_of_the_schema_is_read_and_kept() {
    let mut kept = BTreeSet::new();
    fields_in(&accepted(EVERYTHING).spec, &CHECKED, &mut kept);
    for (_, _, yaml) in ELSEWHERE {
        fields_in(&accepted(&with_top(yaml)).spec, &CHECKED, &mut kept);
    }
    let batching = with_transform("datum_batching: true"); // not beside placeholders
    fields_in(&accepted(&batching).spec, &CHECKED, &mut kept);
    assert_eq!(kept, fields_of(&CHECKED));
}

#[test]
fn camel_case_means_the_same_and_leaves_names_alone() {
    let spec = accepted(EVERYTHING).spec;
    let camel = camel_cased(&spec, &CHECKED);
    assert_eq!(camel["transform"]["acceptReturnCode"], json!([1]));
    assert_eq!(camel["transform"]["env"]["camel_Case"], "kept");
    assert_eq!(accepted(&camel.to_string()).spec, spec);
}

/// The value with the fields of the schema in camelCase.
fn camel_cased(value: &Value, schema: &Value) -> Value {
    let (_, schema) = resolve(schema);
    match (value, properties(schema)) {
        (Value::Object(fields), Some(known)) => fields
            .iter()
            .map(|(field, value)| (camel(field), camel_cased(value, &known[field])))
            .collect(),
        (Value::Array(items), _) => items
            .iter()
            .map(|item| camel_cased(item, &schema["items"]))
            .collect(),
        _ => value.clone(),
    }
}

fn camel(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |spelled, word| {
        spelled + &word[..1].to_uppercase() + &word[1..]
    })
}

#[test]
fn every_field_that_is_not_ours_is_noted_or_refused_by_name() {
    for field in UNSUPPORTED_FIELDS {
        let (value, is_refused) = match field.support {
            Support::Unused(_) => (json!({"whatever": 1}), false),
            Support::Only(value, _) => (json!(value), false),
            Support::Refused(..) => (json!({"whatever": 1}), true),
        };
        let value = if value == "false" {
            json!(false)
        } else {
            value
        };
        let (text, path) = with_field(field.object, field.name, &value);
        let findings = if is_refused {
            refused(&text)
        } else {
            accepted(&text).notes
        };
        assert_eq!(findings.len(), 1, "{text}: {findings:?}");
        assert_eq!(findings[0].path, path);
        let word = if is_refused {
            "is refused: "
        } else {
            "is not used: "
        };
        assert!(findings[0].message.starts_with(word), "{}", findings[0]);
        if matches!(field.support, Support::Only(..)) {
            let (text, _) = with_field(field.object, field.name, &json!("staging"));
            assert!(
                refused(&text)[0].message.starts_with("is refused: "),
                "{text}"
            );
        }
    }
}

/// Values at the edges of what a person may write.
const EDGES: [&str; 12] = [
    "null",
    "\"\"",
    "[]",
    "[\"\"]",
    "[null]",
    "{}",
    "{\"\": \"\"}",
    "0",
    "-1",
    "1e300",
    "18446744073709551615",
    "false",
];

#[test]
fn every_field_has_a_meaning_for_edge_values_or_refuses_them_with_advice() {
    let mut accepted = Vec::new();
    for (object, field) in fields_of(&CHECKED) {
        for edge in EDGES {
            let value: Value = serde_json::from_str(edge).unwrap();
            let (text, path) = with_field(&object, &field, &value);
            match parse("p.json", &text) {
                Ok(_) if edge == "null" => {}
                Ok(_) => accepted.push(format!("{path}: {edge}")),
                Err(Findings(findings)) => {
                    let errors = findings
                        .iter()
                        .filter(|each| each.severity == Severity::Error);
                    let errors: Vec<&Finding> = errors.collect();
                    assert!(!errors.is_empty(), "{text} is refused without an error");
                    for error in errors {
                        assert!(!error.advice.is_empty(), "{text}: {error}");
                        assert!(error.line > 0, "{text}: {error}");
                    }
                }
            }
        }
    }
    insta::assert_snapshot!(accepted.join("\n"));
}

/// The minimal spec with an additional field, and the path of that field.
fn with_field(object: &str, field: &str, value: &Value) -> (String, String) {
    let mut spec: Value = serde_json::from_str(LEAST).unwrap();
    let place = match object {
        "Pipeline" => "",
        "Identity" => "/pipeline",
        "Transform" => "/transform",
        "Input" => "/input",
        "Pfs" => "/input/pfs",
        "Cron" => {
            spec["input"] = json!({"cron": {"name": "tick", "spec": "@daily"}});
            "/input/cron"
        }
        "Egress" => {
            spec["egress"] = json!({"URL": "s3://b"});
            "/egress"
        }
        "ObjectStorage" => {
            spec["egress"] = json!({"object_storage": {}});
            "/egress/object_storage"
        }
        "Metadata" => "/metadata",
        "Parallelism" => "/parallelism_spec",
        "DatumSet" => "/datum_set_spec",
        "Retention" => "/retention",
        "Scheduling" => "/scheduling_spec",
        "Resources" => "/resource_limits",
        "Gpu" => {
            spec["resource_limits"] = json!({"gpu": {"type": "nvidia.com/gpu", "number": 1}});
            "/resource_limits/gpu"
        }
        "Secret" => {
            spec["transform"]["secrets"] = json!([{"name": "s", "mount_path": "/s"}]);
            "/transform/secrets/0"
        }
        "Notification" => {
            spec["notify"] = json!([{"webhook": "https://h.example/x"}]);
            "/notify/0"
        }
        "Limit" => {
            spec["limits"] = json!([{}]);
            "/limits/0"
        }
        "Toleration" => {
            spec["tolerations"] = json!([{"key": "a"}]);
            "/tolerations/0"
        }
        other => panic!("where does {other} stand?"),
    };
    if let Some(name) = place.strip_prefix('/').filter(|name| !name.contains('/'))
        && spec.get(name).is_none()
    {
        spec[name] = json!({});
    }
    spec.pointer_mut(place).unwrap()[field] = value.clone();
    let path = format!("{place}/{field}")[1..].replace('/', ".");
    (spec.to_string(), path)
}

#[test]
fn the_schema_is_one_and_its_examples_fit() {
    let schema = schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["additionalProperties"], false);
    for (object, field) in fields_of(&CHECKED) {
        let definition = if object == "Pipeline" {
            &schema
        } else {
            &schema["$defs"][&object]
        };
        let described = &definition["properties"][&field];
        assert!(
            described["description"].is_string(),
            "{object}.{field} has no description: {described}"
        );
    }
}

#[test]
fn the_document_tells_of_every_field_and_of_no_other() {
    let document = include_str!("../../../../docs/pipeline.md");
    let told: BTreeSet<(String, String)> = rows_of(document);
    let ours = fields_of(&CHECKED)
        .into_iter()
        .map(|(object, field)| (place(&object), field));
    let others = UNSUPPORTED_FIELDS
        .iter()
        .map(|field| (place(field.object), field.name.to_owned()));
    let known: BTreeSet<(String, String)> = ours
        .chain(others)
        .map(|(place, field)| (place.expect("a place for each object").to_owned(), field))
        .collect();
    let undocumented: Vec<_> = known.difference(&told).collect();
    let invented: Vec<_> = told.difference(&known).collect();
    assert!(
        undocumented.is_empty() && invented.is_empty(),
        "missing: {undocumented:#?}\nunknown: {invented:#?}"
    );
}

/// The fields in a document's tables, each with the place in its heading. In the table of refused
/// fields, the place is part of the field.
fn rows_of(document: &str) -> BTreeSet<(String, String)> {
    let mut rows = BTreeSet::new();
    let mut heading = "";
    for line in document.lines() {
        if let Some(title) = line
            .strip_prefix("### ")
            .or_else(|| line.strip_prefix("## "))
        {
            heading = title;
        }
        let Some((field, _)) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once('`'))
        else {
            continue;
        };
        match (heading, field.rsplit_once('.')) {
            ("Globs" | "Code" | "Combining inputs" | "Environment of the command", _) => {}
            ("`transform`", _) if field.starts_with('{') => {}
            ("Read but not used, and refused", Some((place, field))) => {
                rows.insert((format!("`{place}`"), field.to_owned()));
            }
            ("Read but not used, and refused", None) => {
                rows.insert(("the top level".to_owned(), field.to_owned()));
            }
            (place, _) => {
                rows.insert((place.to_owned(), field.to_owned()));
            }
        }
    }
    rows
}
