//! Specs that the API server refuses by the definition, and the messages for users.

use serde_json::{Value, json};

use crate::testing::Harness;

#[tokio::test]
async fn specs_that_make_no_sense_are_refused_with_the_way_out() {
    let harness = Harness::new();
    let pfs = |repo: &str| json!({ "repo": repo, "glob": "/*" });
    let secret = |fields: Value| json!({ "transform": { "secrets": [fields] } });
    let deep = json!({ "pfs": null, "cross": [{ "pfs": pfs("a"), "union": [] }] });
    let rows: [(Value, &str); 17] = [
        (
            json!({ "input": { "cron": { "name": "c", "spec": "@daily" } } }),
            "spec.input: Invalid value: the input has two kinds: keep one of `pfs`",
        ),
        (
            json!({ "input": deep }),
            "spec.input.cross[0]: Invalid value: the input has two kinds",
        ),
        (
            json!({ "input": { "pfs": null } }),
            "spec.input: Invalid value: the input is empty: give one of `pfs`",
        ),
        (json!({ "transform": { "cmd": [] } }), "spec.transform.cmd"),
        (
            json!({ "transform": { "cmd": null } }),
            "spec.transform.cmd: Required value",
        ),
        (
            json!({ "parallelism_spec": { "constant": 1, "coefficient": 1.5 } }),
            "`constant` contradicts `coefficient`",
        ),
        (
            json!({ "standby": false, "standby_after": "5m" }),
            "`standby_after` contradicts `standby: false`",
        ),
        (
            json!({ "tolerations": [{ "value": "x" }] }),
            "name the taint in `key`",
        ),
        (
            json!({ "tolerations": [{ "key": "k", "seconds": 3 }] }),
            "only a `NoExecute` taint",
        ),
        (
            secret(json!({ "name": "x" })),
            "the secret is not put anywhere",
        ),
        (
            secret(json!({ "name": "x", "env_var": "X" })),
            "name it in `key`",
        ),
        (
            json!({ "datum_set_spec": { "number": 1 }, "chunk_spec": { "number": 2 } }),
            "`chunk_spec` is the older name",
        ),
        (
            json!({ "datum_set_spec": { "number": 1, "per_worker": 2 } }),
            "`per_worker` contradicts",
        ),
        (json!({ "datum_timeout": "soon" }), "spec.datum_timeout"),
        (
            json!({ "datum_trise": 3 }),
            "unknown field \"spec.datum_trise\"",
        ),
        (json!({ "datum_tries": "3" }), "must be of type integer"),
        (json!({ "replicas": -1 }), "spec.replicas"),
    ];
    for (fields, word) in rows {
        let refusal = harness.try_to_apply("thumbs", &fields).unwrap_err();
        assert!(refusal.contains(word), "{fields}: {refusal}");
    }
    let long = "a".repeat(51);
    assert!(
        harness
            .try_to_apply(&long, &json!({}))
            .unwrap_err()
            .contains("at most 50 characters")
    );
    harness
        .try_to_apply(
            "thumbs",
            &json!({ "autoscaling": true, "standby_after": "5m" }),
        )
        .unwrap();
}

#[tokio::test]
async fn the_name_of_a_pipeline_never_changes() {
    let harness = Harness::new();
    let named = |name: &str| json!({ "pipeline": { "name": name } });
    harness.try_to_apply("thumbs", &named("One")).unwrap();
    harness.try_to_apply("thumbs", &named("One")).unwrap();
    for fields in [named("Two"), json!({})] {
        let refusal = harness.try_to_apply("thumbs", &fields).unwrap_err();
        assert!(refusal.contains("can't change"), "{refusal}");
    }
}

#[test]
fn every_column_of_the_definition_shows_a_field_that_the_schema_has() {
    let definition = serde_json::to_value(crate::crd::definition()).unwrap();
    let version = &definition["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let scale = version["subresources"]["scale"].as_object().unwrap();
    let columns = version["additionalPrinterColumns"]
        .as_array()
        .unwrap()
        .iter();
    let paths = columns
        .map(|column| &column["jsonPath"])
        .chain(scale.values());
    for path in paths.map(|path| path.as_str().unwrap()) {
        let plain = path.split('[').next().unwrap();
        let mut at = schema;
        for field in plain
            .split('.')
            .skip(1)
            .filter(|_| !plain.starts_with(".metadata"))
        {
            at = &at["properties"][field];
            assert!(at.is_object(), "{path}: the schema has no {field}");
        }
    }
}
