//! JSON and YAML in all notations.

use super::*;
use crate::pipeline::{count_findings, from_value};

#[test]
fn every_notation_means_the_same() {
    let yaml =
        "pipeline: {name: p}\ntransform:\n  cmd: ['true']\ninput:\n  pfs: {repo: in, glob: /*}\n";
    let rows = [
        ("least", LEAST.to_owned()),
        ("a byte order mark", format!("\u{feff}{LEAST}")),
        ("tabs", LEAST.replace("    ", "\t")),
        (
            "nulls",
            LEAST.replacen('{', r#"{"egress": null, "salt": null, "#, 1),
        ),
        ("a list of specs", format!("[{LEAST}]")),
        (
            "a list of specs in YAML",
            format!("- {}\n", LEAST.replace('\n', " ")),
        ),
        ("a trailing comma", LEAST.replace("\"}}}", "\"},},}")),
        ("comments", LEAST.replace('\n', " # for people\n")),
        ("bare keys", LEAST.replace("\"pfs\"", "pfs")),
        ("JSON after a mark", format!("---\n{LEAST}\n---\n")),
        (
            "the key of editors",
            LEAST
                .replacen('{', r#"{"$schema": "https://x", "#, 1)
                .replace(r#"{"repo""#, r#"{"$schema": "y", "repo""#),
        ),
        ("windows line ends", LEAST.replace('\n', "\r\n")),
        ("yaml", yaml.to_owned()),
        (
            "empty documents",
            format!("---\n# nothing\n---\n{yaml}---\n"),
        ),
        ("yaml with a tag", yaml.replace("name: p", "name: !!str p")),
        ("yaml nulls", format!("{yaml}egress: ~\nsalt:\n")),
        (
            "aliases",
            yaml.replace("name: p", "name: &n p")
                .replace("cmd: ['true']", "cmd: ['true']\ndescription: ~"),
        ),
    ];
    let expected = accepted(LEAST).spec;
    for (name, text) in rows {
        assert_eq!(accepted(&text).spec, expected, "{name}");
    }
}

#[test]
fn several_documents_keep_their_order_and_lines() {
    let json = format!("{LEAST}\n{}", LEAST.replace("\"p\"", "\"q\""));
    let yaml = format!(
        "{}\n---\n{}",
        with_top(""),
        with_top("").replace("name: p", "name: q")
    );
    for text in [json, yaml] {
        let parsed = parse("spec", &text).unwrap();
        let names: Vec<&str> = parsed
            .iter()
            .map(|each| each.pipeline.name.as_str())
            .collect();
        assert_eq!(names, ["p", "q"]);
    }
    let second_is_wrong = format!("{LEAST}\n\n{}", LEAST.replace("\"p\"", "\"-\""));
    assert_eq!(refused(&second_is_wrong)[0].line, 4);
    let twice = format!("{LEAST}\n{LEAST}");
    assert_eq!(
        refused(&twice)[0].message,
        "there are two pipelines \"p\" in this file"
    );
}

#[test]
fn aliases_and_merge_keys_are_written_out() {
    let text = "pipeline: {name: p}\ntransform: {cmd: ['true'], env: {A: '1'}}\ninput:\n  cross:\n  - pfs: &defaults {repo: in, glob: /*, lazy: true}\n  - pfs: {<<: *defaults, name: other, lazy: false}\n";
    let parsed = accepted(text);
    let leaves = parsed.pipeline.input.leaves();
    assert_eq!(
        (leaves[1].repo.as_str(), leaves[1].name.as_str()),
        ("in", "other")
    );
    assert!(leaves[0].lazy && !leaves[1].lazy);
}

#[test]
fn yaml_scalars_are_texts_where_a_text_is_expected() {
    let text = with_transform("cmd: [sleep, 1.10], env: {PORT: 8080, YES: yes, NONE: , ON: true}");
    let text = text.replace("cmd: ['true'], ", "");
    let transform = accepted(&text).pipeline.transform;
    assert_eq!(transform.cmd, ["sleep", "1.10"]);
    let env: Vec<String> = transform
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(env, ["NONE=", "ON=true", "PORT=8080", "YES=yes"]);
}

#[test]
fn numbers_may_stand_in_quotes() {
    let text = LEAST.replacen(
        '{',
        r#"{"parallelismSpec": {"constant": "2"}, "datum_tries": 1e0, "#,
        1,
    );
    let spec = accepted(&text).spec;
    assert_eq!(spec["parallelism_spec"]["constant"], 2);
    assert_eq!(spec["datum_tries"], 1);
}

#[test]
fn a_spec_comes_back_from_its_normal_form() {
    let text =
        with_top("datumTimeout: 90s\nstandby_after: 5400s\nresourceLimits: {memory: 64M}\nsalt: x");
    let parsed = accepted(&text);
    assert_eq!(parsed.spec["datum_timeout"], "1m30s");
    assert_eq!(parsed.spec["standby_after"], "1h30m");
    assert_eq!(parsed.spec["resource_limits"]["memory"], "64M");
    assert_eq!(parsed.spec.get("salt"), None);
    let again = from_value(&parsed.spec).unwrap();
    assert_eq!(format!("{again:?}"), format!("{:?}", parsed.pipeline));
    let again = accepted(&parsed.spec.to_string());
    assert_eq!(again.spec, parsed.spec);
}

#[test]
fn a_damaged_record_is_refused_not_guessed() {
    for value in [
        serde_json::json!(null),
        serde_json::json!([1]),
        serde_json::json!({"pipeline": {"name": "p"}}),
    ] {
        assert!(from_value(&value).is_err(), "{value}");
    }
}

#[test]
fn a_repeated_key_with_different_values_is_refused_in_any_spelling() {
    let rows = [
        LEAST.replacen('{', r#"{"datum_tries": 1, "datum_tries": 2, "#, 1),
        LEAST.replacen('{', r#"{"datum_tries": 1, "datumTries": 2, "#, 1),
        with_top("datum_tries: 1\ndatumTries: 2"),
        with_transform("env: {A: 1, A: 2}"),
    ];
    for text in rows {
        let errors = refused(&text);
        assert_eq!(errors.len(), 1, "{text}");
        assert_eq!(
            errors[0].message, "is given more than once, with different values",
            "{text}"
        );
        assert!(errors[0].advice.contains("Pachyderm took the last"));
    }
}

#[test]
fn a_repeated_key_with_equal_values_is_noted() {
    let rows = [
        LEAST.replacen('{', r#"{"datum_tries": 2, "datumTries": "2", "#, 1),
        with_transform("env: {A: 1, A: '1'}"),
        with_top("egress: {URL: 's3://b'}\negress: {URL: s3://b}"),
    ];
    for text in rows {
        let notes = accepted(&text).notes;
        assert_eq!(notes.len(), 1, "{text}: {notes:?}");
        assert_eq!(
            notes[0].message, "is given more than once, with the same value",
            "{text}"
        );
    }
}

#[test]
fn old_spellings_are_read_with_a_note() {
    let rows = [
        (
            LEAST.replace("pfs", "atom"),
            "input.pfs",
            "older name of `pfs`",
        ),
        (
            with_top("resource_limits: {gpu: 2}"),
            "resource_limits.gpu",
            "{type: nvidia.com/gpu, number: 2}",
        ),
        (
            with_top("resource_limits: {gpu: 0}"),
            "resource_limits.gpu",
            "not used",
        ),
        (
            with_top("scaleDownThreshold: 10m"),
            "scale_down_threshold",
            "standby_after",
        ),
    ];
    for (text, path, says) in rows {
        let notes = accepted(&text).notes;
        assert_eq!(notes.len(), 1, "{text}: {notes:?}");
        assert_eq!(notes[0].path, path, "{text}");
        assert!(notes[0].to_string().contains(says), "{}", notes[0]);
    }
    assert_eq!(
        accepted(&with_top("resource_limits: {gpu: 2}")).spec["resource_limits"]["gpu"],
        serde_json::json!({"type": "nvidia.com/gpu", "number": 2})
    );
    assert_eq!(
        accepted(&LEAST.replace("pfs", "atom")).spec,
        accepted(LEAST).spec
    );
}

#[test]
fn a_spout_is_refused_once() {
    let text = "pipeline: {name: p}\ntransform: {cmd: ['true']}\nspout: {}\n";
    assert_eq!(refused(text).len(), 1, "{:?}", refused(text));
}

#[test]
fn several_inputs_of_old_specs_are_sent_to_cross() {
    let text = "pipeline: {name: p}\ntransform: {cmd: ['true']}\ninputs: [{repo: a}]\n";
    let errors = refused(text);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].advice.contains("`input: {cross:"),
        "{}",
        errors[0]
    );
}

#[test]
fn at_most_a_hundred_findings_are_reported_and_the_rest_is_counted() {
    let numbered = |write: fn(u32) -> String| (0..3000).map(write).collect::<Vec<_>>().concat();
    let fields = numbered(|number| format!("field{number}: 1\n"));
    let documents: String = (0..3000).map(|_| "---\nfield: 1\n").collect();
    let variables = numbered(|number| format!("\"={number}\": x, "));
    let rows = [
        (with_top(&fields), 2900),
        (documents, 3000 * 4 - 100),
        (with_transform(&format!("env: {{{variables}}}")), 2900),
    ];
    for (text, more) in rows {
        let Err(Findings(findings)) = parse("p.yaml", &text) else {
            panic!("accepted");
        };
        assert_eq!(findings.len(), 101);
        let last = findings.last().unwrap();
        assert!(
            last.message.starts_with(&format!("{more} errors:")),
            "{last}"
        );
        assert_eq!(count_findings(&findings), "more than 100 errors");
    }
}

#[test]
fn texts_that_would_exhaust_memory_or_stack_are_refused() {
    let laugh = |level: i32| format!("l{level}: &l{level} [*l{0}, *l{0}]", level - 1);
    let laughs = (1..40).map(laugh).collect::<Vec<_>>().join("\n");
    let rows = [
        (
            "deep YAML",
            format!("a:\n  {}x", "- ".repeat(200)),
            "levels deep",
        ),
        (
            "deep JSON",
            format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100)),
            "levels deep",
        ),
        ("very deep JSON", "[".repeat(1_000_000), ""),
        (
            "laughs",
            format!("l0: &l0 [lol]\n{laughs}"),
            "more than 200000 values",
        ),
        (
            "wide laughs",
            format!(
                "a: &a [{0}]\nb: &b [{1}]\nc: [{2}]",
                "x,".repeat(999),
                "*a,".repeat(999),
                "*b,".repeat(99)
            ),
            "more than 200000 values",
        ),
        (
            "an endless anchor",
            "a: &a [*a]".to_owned(),
            "inside the anchor",
        ),
        (
            "a large file",
            "#".repeat(9 * 1024 * 1024),
            "larger than 8 MiB",
        ),
    ];
    for (name, text, says) in rows {
        let errors = refused(&text);
        assert!(errors[0].message.contains(says), "{name}: {}", errors[0]);
    }
}

#[test]
fn the_bundled_examples_are_read_without_notes() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples");
    let mut read = 0;
    for example in std::fs::read_dir(examples).unwrap() {
        let file = example.unwrap().path().join("pipelines.yaml");
        let Ok(text) = std::fs::read_to_string(&file) else {
            continue;
        };
        let parsed = parse(&file.display().to_string(), &text).unwrap();
        assert!(
            parsed.iter().all(|each| each.notes.is_empty()),
            "{parsed:?}"
        );
        read += 1;
    }
    assert!(read > 0, "no examples in {examples}");
}
