//! The documents of a text: JSON one after another, as printed by `pachctl`, or YAML.

use serde_json::{Deserializer, Value};

/// All values of a text; the reason if the text is neither JSON nor YAML.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, String> {
    let stream: Result<Vec<Value>, _> = Deserializer::from_str(text).into_iter().collect();
    match stream {
        Ok(values) => Ok(values),
        Err(json) => {
            let values: Result<Vec<Value>, _> = serde_saphyr::from_multiple(text);
            values.map_err(|yaml| format!("it is no JSON ({json}) and no YAML ({yaml})"))
        }
    }
}

/// The pipelines in a value: a spec, the output of `inspect pipeline` and `list pipeline`, the operations of `extract`,
/// and lists of these. Anything else, such as repos and commits, is passed over.
pub(super) fn pipelines(value: Value, found: &mut Vec<Value>) {
    match value {
        Value::Array(items) => items.into_iter().for_each(|item| pipelines(item, found)),
        Value::Object(mut fields) => {
            if fields.get("pipeline").is_some_and(is_name) {
                found.push(Value::Object(fields));
                return;
            }
            let wrapper = |name: &String| {
                let is_operation = name.starts_with("op")
                    && name[2..].starts_with(|each: char| each.is_ascii_digit());
                is_operation
                    || matches!(
                        name.as_str(),
                        "pipeline"
                            | "pipelineInfo"
                            | "pipeline_info"
                            | "pipelines"
                            | "items"
                            | "spec"
                    )
            };
            let names: Vec<String> = fields
                .keys()
                .filter(|name| wrapper(name))
                .cloned()
                .collect();
            for name in names {
                pipelines(fields.remove(&name).unwrap_or_default(), found);
            }
        }
        _ => {}
    }
}

/// True for `{"name": "edges"}`, the mark of a spec or of a description of a pipeline.
fn is_name(pipeline: &Value) -> bool {
    pipeline.get("name").is_some_and(Value::is_string) && pipeline.get("transform").is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for value in documents(text).unwrap() {
            pipelines(value, &mut found);
        }
        let name = |each: &Value| each["pipeline"]["name"].as_str().unwrap().to_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn pipelines_are_found_in_all_that_pachctl_prints() {
        let spec = |name: &str| json!({"pipeline": {"name": name}, "transform": {"cmd": ["sh"]}});
        let (a, b) = (spec("a"), spec("b"));
        let rows = [
            (format!("{a}\n{b}"), vec!["a", "b"]),
            (json!([a, b]).to_string(), vec!["a", "b"]),
            (
                "---\npipeline: {name: a}\n---\npipeline: {name: b}\n".to_owned(),
                vec!["a", "b"],
            ),
            (
                format!(
                    "{}\n{}",
                    json!({"op1_12": {"repo": {"repo": {"name": "in"}}}}),
                    json!({"op1_12": {"pipeline": a}})
                ),
                vec!["a"],
            ),
            (json!({"pipelineInfo": [a, b]}).to_string(), vec!["a", "b"]),
            (json!({"repo": {"name": "x"}}).to_string(), vec![]),
            ("[]".to_owned(), vec![]),
        ];
        for (text, expected) in rows {
            assert_eq!(names(&text), expected, "{text}");
        }
        assert!(documents("{\"a\": ").is_err());
    }
}
