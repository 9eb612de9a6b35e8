//! The differences between two jobs of a pipeline: datums and spec.

use std::collections::{BTreeMap, HashMap};

use drover_shared::datum::Datum;
use drover_shared::id::{DatumId, JobId};
use drover_shared::job::JobRecord;
use drover_shared::ledger::Ledger;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jobs::JobPath;
use crate::routing::api::Api;
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;

/// Largest compared job.
const MAX_DATUMS: u64 = 200_000;
/// Named datums of each kind.
const MAX_NAMED: usize = 100;

/// The job to compare with.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct ChangesQuery {
    /// The earlier job; by default the one before of the same pipeline.
    with: Option<JobId>,
}

/// Differences from an earlier job.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Changes {
    /// The earlier job; null without an earlier job.
    with: Option<JobRecord>,
    /// Number of equal datums.
    same: u64,
    /// Datums of equal inputs whose content, command or code differs.
    changed: ChangedDatums,
    /// Datums of the later job alone.
    added: ChangedDatums,
    /// Datums of the earlier job alone, by place.
    removed: ChangedDatums,
    /// Differing fields of the spec.
    spec: Vec<ChangedField>,
}

/// Datums with the same difference.
#[derive(Debug, Default, JsonSchema, PartialEq, Serialize)]
struct ChangedDatums {
    count: u64,
    /// The first 100.
    first: Vec<NamedDatum>,
}

/// A datum and its inputs.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
struct NamedDatum {
    /// Place in its job.
    index: u64,
    /// Repo and path of each input.
    inputs: Vec<String>,
}

/// A field with its values as JSON; null where the field is absent.
#[derive(Debug, JsonSchema, PartialEq, Serialize)]
struct ChangedField {
    /// Path of the field, `transform.cmd`.
    path: String,
    before: Option<String>,
    after: Option<String>,
}

pub(crate) async fn show(
    ApiRequest {
        api, path, query, ..
    }: ApiRequest<JobPath, ChangesQuery>,
) -> Result<Changes, Error> {
    let record = api.named(path.id).await?;
    let Some(earlier) = earlier(&api, &record, query.with).await? else {
        return Ok(Changes {
            with: None,
            same: 0,
            changed: ChangedDatums::default(),
            added: ChangedDatums::default(),
            removed: ChangedDatums::default(),
            spec: Vec::new(),
        });
    };
    let largest = record.datums.total.max(earlier.datums.total);
    if largest > MAX_DATUMS {
        return Err(Error::conflict(format!(
            "a job of {largest} datums is too large to be compared; `drover plan --why` tells why each datum would run"
        )));
    }
    let ledger = api.ledger();
    let mut before = datums_of(ledger, earlier.id).await?;
    let after = datums_of(ledger, record.id).await?;
    let mut changes = Changes {
        same: 0,
        changed: ChangedDatums::default(),
        added: ChangedDatums::default(),
        removed: ChangedDatums::default(),
        spec: fields(
            &ledger.spec(earlier.id).await?,
            &ledger.spec(record.id).await?,
        ),
        with: Some(earlier),
    };
    let mut ordered: Vec<(Vec<String>, (u64, DatumId))> = after.into_iter().collect();
    ordered.sort_by_key(|(_, (index, _))| *index);
    for (inputs, (index, id)) in ordered {
        match before.remove(&inputs) {
            Some((_, same)) if same == id => changes.same += 1,
            Some(_) => changes.changed.add(index, inputs),
            None => changes.added.add(index, inputs),
        }
    }
    let mut left: Vec<(Vec<String>, (u64, DatumId))> = before.into_iter().collect();
    left.sort_by_key(|(_, (index, _))| *index);
    for (inputs, (index, _)) in left {
        changes.removed.add(index, inputs);
    }
    Ok(changes)
}

impl ChangedDatums {
    fn add(&mut self, index: u64, inputs: Vec<String>) {
        self.count += 1;
        if self.first.len() < MAX_NAMED {
            self.first.push(NamedDatum { index, inputs });
        }
    }
}

/// The named job, else the job before of the same pipeline.
async fn earlier(
    api: &Api,
    record: &JobRecord,
    named: Option<JobId>,
) -> Result<Option<JobRecord>, Error> {
    if let Some(job) = named {
        let other = api.named(job).await?;
        if other.pipeline != record.pipeline {
            return Err(Error::unprocessable(format!(
                "job {job} is of pipeline {}, and job {} of {}; compare jobs of one pipeline",
                other.pipeline, record.id, record.pipeline
            )));
        }
        return Ok(Some(other));
    }
    let jobs = api.ledger().jobs_of(&record.pipeline).await?;
    for job in jobs.into_iter().rev().filter(|job| *job < record.id) {
        if let Some(earlier) = api.readable(job).await? {
            return Ok(Some(earlier));
        }
    }
    Ok(None)
}

/// Place and identity of each datum, by its inputs.
async fn datums_of(
    ledger: &Ledger,
    job: JobId,
) -> Result<HashMap<Vec<String>, (u64, DatumId)>, StoreError> {
    let mut datums = HashMap::new();
    for segment in ledger.segments(job).await? {
        for entry in ledger.manifest(job, segment).await? {
            let Datum { index, id, inputs } = entry.datum;
            let inputs = inputs
                .into_iter()
                .map(|input| format!("{}{}", input.repo, input.path))
                .collect();
            datums.insert(inputs, (index, id));
        }
    }
    Ok(datums)
}

/// The differing fields of two specs.
fn fields(before: &Value, after: &Value) -> Vec<ChangedField> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    leaves(before, String::new(), &mut old);
    leaves(after, String::new(), &mut new);
    let mut paths: Vec<&String> = old.keys().chain(new.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let differs = |path: &&&String| old.get(**path) != new.get(**path);
    let changed = paths.iter().filter(differs).map(|path| ChangedField {
        path: (*path).clone(),
        before: old.get(*path).cloned(),
        after: new.get(*path).cloned(),
    });
    changed.collect()
}

/// The plain values and lists of an object, by their paths.
fn leaves(value: &Value, path: String, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(value, format!("{path}{dot}{name}"), found);
            }
        }
        value => {
            found.insert(path, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_specs_are_compared_by_their_paths() {
        let before = json!({"transform": {"cmd": ["a"], "stdin": ["x"]}, "datum_tries": 3});
        let after = json!({"transform": {"cmd": ["b"]}, "datum_tries": 3, "description": "d"});
        let told: Vec<_> = fields(&before, &after)
            .into_iter()
            .map(|field| (field.path, field.before, field.after))
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told,
            [
                ("description".to_owned(), None, text(r#""d""#)),
                (
                    "transform.cmd".to_owned(),
                    text(r#"["a"]"#),
                    text(r#"["b"]"#)
                ),
                ("transform.stdin".to_owned(), text(r#"["x"]"#), None),
            ]
        );
    }
}
