//! From a spec of Pachyderm to a spec of Drover, with a list of the fields left out.

use std::path::PathBuf;

use drover_shared::pipeline::{self, Finding, Severity};
use serde_json::Value;

use super::documents::{documents, pipelines};
use super::normalize;

/// Fields that may be left out of a spec, at most.
const MOST_LOST: usize = 100;
/// Fields that are never left out: a spec without such a field would describe other work.
const ESSENTIAL: &[&str] = &["pipeline", "transform", "input", "spout", "service"];

/// An imported pipeline.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Name of the pipeline.
    pub(crate) name: String,
    /// The spec in its normal form.
    pub(crate) spec: Value,
    /// Fields without a counterpart, with the reason.
    pub(crate) lost: Vec<String>,
    /// Reasons why the pipeline cannot run here.
    pub(crate) errors: Vec<Finding>,
}

impl Imported {
    /// The errors, each with the name of the pipeline.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        let Self { name, errors, .. } = self;
        let named = |finding: Finding| Finding {
            message: format!("pipeline {name} cannot be imported: {}", finding.message),
            ..finding
        };
        errors.into_iter().map(named).collect()
    }
}

/// The pipelines of a text; an error for a text that is neither JSON nor YAML.
pub(crate) fn import(file: &str, text: &str) -> Result<Vec<Imported>, Finding> {
    let values = documents(text).map_err(|problem| problem_of(file, problem))?;
    let mut found = Vec::new();
    for value in values {
        pipelines(value, &mut found);
    }
    Ok(found
        .into_iter()
        .map(|described| translate(file, described))
        .collect())
}

/// The finding for files without a pipeline.
pub(crate) fn nothing_found(files: &[PathBuf]) -> Finding {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    problem_of(&names.join(", "), "there is no pipeline in it".to_owned())
}

fn problem_of(file: &str, message: String) -> Finding {
    Finding {
        file: file.to_owned(),
        line: 0,
        column: 0,
        path: String::new(),
        message,
        advice: "give what `pachctl inspect pipeline NAME --raw`, `pachctl list pipeline --raw` or `pachctl extract pipeline NAME` prints".to_owned(),
        severity: Severity::Error,
    }
}

/// Leaves out refused fields until the spec is accepted, or until a refused field is essential.
fn translate(file: &str, described: Value) -> Imported {
    let mut spec = normalize::spec(described);
    let name = spec["pipeline"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let mut lost = Vec::new();
    loop {
        let refused = match pipeline::parse("", &spec.to_string()) {
            Ok(mut parsed) if parsed.len() == 1 => {
                let parsed = parsed.remove(0);
                lost.extend(parsed.notes.iter().map(told));
                return Imported {
                    name,
                    spec: parsed.spec,
                    lost,
                    errors: Vec::new(),
                };
            }
            Ok(_) => Vec::new(),
            Err(found) => found.0,
        };
        let removed = refused
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .find(|finding| !is_essential(&finding.path) && remove(&mut spec, &finding.path));
        match removed {
            Some(finding) if lost.len() < MOST_LOST => lost.push(told(finding)),
            _ => {
                let errors = refused.into_iter().map(|finding| Finding {
                    file: file.to_owned(),
                    line: 0,
                    column: 0,
                    ..finding
                });
                return Imported {
                    name,
                    spec,
                    lost,
                    errors: errors.collect(),
                };
            }
        }
    }
}

fn told(finding: &Finding) -> String {
    let advice = match finding.advice.as_str() {
        "" | "delete it" => String::new(),
        advice => format!(" ({advice})"),
    };
    format!("{}: {}{advice}", finding.path, finding.message)
}

/// True for a field without which the pipeline would do other work: parts of the command and the choice of files.
fn is_essential(path: &str) -> bool {
    let parts: Vec<&str> = path.split(['.', '[']).collect();
    let last = parts.last().copied().unwrap_or_default();
    parts.len() == 1 && ESSENTIAL.contains(&last)
        || last.ends_with(']')
        || matches!(
            last,
            "cmd"
                | "stdin"
                | "glob"
                | "repo"
                | "name"
                | "url"
                | "pfs"
                | "cron"
                | "spec"
                | "cross"
                | "union"
                | "join"
                | "group"
                | "join_on"
                | "group_by"
        )
}

/// Removes the field at `input.cross[1].pfs.lazy`; false if there is none.
fn remove(spec: &mut Value, path: &str) -> bool {
    let (parent, field) = path.rsplit_once('.').unwrap_or(("", path));
    let mut pointer = String::new();
    for part in parent.split(['.', '[']).filter(|part| !part.is_empty()) {
        pointer.push('/');
        pointer.push_str(part.trim_end_matches(']'));
    }
    let parent = spec.pointer_mut(&pointer).and_then(Value::as_object_mut);
    parent.is_some_and(|parent| parent.remove(field).is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(described: &Value) -> Imported {
        let mut found = import("p.json", &described.to_string()).unwrap();
        assert_eq!(found.len(), 1);
        found.remove(0)
    }

    fn described(more: &Value) -> Value {
        let mut described = json!({
            "pipeline": {"name": "edges"},
            "transform": {"image": "edges:1", "cmd": ["python3", "/edges.py"]},
            "input": {"pfs": {"repo": "images", "glob": "/*"}},
        });
        for (name, value) in more.as_object().unwrap() {
            described[name] = value.clone();
        }
        described
    }

    #[test]
    fn fields_without_a_counterpart_are_left_out_and_named() {
        let imported = only(&described(&json!({
            "s3Out": true, "metadata": {"labels": {"team": "x"}}, "noSuchThing": {"a": 1},
        })));
        assert_eq!(imported.errors, Vec::new(), "{imported:?}");
        assert!(
            imported
                .lost
                .iter()
                .any(|lost| lost.starts_with("no_such_thing: ")),
            "{:?}",
            imported.lost
        );
        assert!(
            imported
                .lost
                .iter()
                .any(|lost| lost.starts_with("s3_out: ")),
            "{:?}",
            imported.lost
        );
        assert!(pipeline::from_value(&imported.spec).is_ok());
        assert_eq!(imported.spec.get("s3_out"), None);
    }

    #[test]
    fn what_would_be_other_work_is_not_imported() {
        let spout = json!({"pipeline": {"name": "s"}, "transform": {"cmd": ["x"]}, "spout": {"overwrite": true}});
        let imported = only(&spout);
        assert!(!imported.errors.is_empty(), "{imported:?}");
        let glob = described(&json!({"input": {"pfs": {"repo": "images", "glob": "/[a"}}}));
        let imported = only(&glob);
        assert!(!imported.errors.is_empty(), "{imported:?}");
        let told = imported.into_findings();
        assert!(
            told[0]
                .message
                .starts_with("pipeline edges cannot be imported: "),
            "{told:?}"
        );
    }

    /// The output of several versions of `pachctl` becomes specs of Drover, and each field is kept or named.
    #[test]
    fn the_documents_of_pachctl_become_specs() {
        let dumps = [
            ("inspect-1.13", include_str!("dumps/inspect-1.13.json")),
            ("list-2.8", include_str!("dumps/list-2.8.json")),
            (
                "extract-pipeline-1.11",
                include_str!("dumps/extract-pipeline-1.11.json"),
            ),
        ];
        for (name, text) in dumps {
            for imported in import(name, text).unwrap() {
                assert_eq!(imported.errors, Vec::new(), "{name}");
                let snapshot = format!("{name}-{}", imported.name);
                let shown = json!({"spec": imported.spec, "lost": imported.lost});
                let shown = serde_json::to_string_pretty(&shown).unwrap();
                insta::assert_snapshot!(snapshot, shown);
            }
        }
    }

    #[test]
    fn fields_are_removed_by_their_paths() {
        let mut spec = json!({"input": {"cross": [{"pfs": {"lazy": 1}}, {"pfs": {"lazy": 2, "glob": "/"}}]}, "a": 1});
        assert!(remove(&mut spec, "input.cross[1].pfs.lazy"));
        assert!(remove(&mut spec, "a"));
        assert!(!remove(&mut spec, "input.cross[7].pfs.lazy"));
        assert_eq!(
            spec,
            json!({"input": {"cross": [{"pfs": {"lazy": 1}}, {"pfs": {"glob": "/"}}]}})
        );
    }
}
