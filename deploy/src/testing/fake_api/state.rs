//! The objects of the fake cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::RecordedRequest;

/// All objects, by path of the collection and name.
#[derive(Default)]
pub(super) struct FakeApiState {
    pub(super) objects: BTreeMap<(String, String), Value>,
    /// Removed objects as they were last, with the path of the collection.
    removed: Vec<(String, Value)>,
    pub(super) requests: Vec<RecordedRequest>,
    pub(super) lets_through: Option<usize>,
    pub(super) forbidden: Vec<String>,
    version: u64,
}

impl FakeApiState {
    pub(super) fn find(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.key(kind, name)?;
        self.objects.get(&found).cloned()
    }

    pub(super) fn all(&self, kind: &str) -> Vec<Value> {
        let of_kind = self
            .objects
            .iter()
            .filter(|((collection, _), _)| is_of(collection, kind));
        of_kind.map(|(_, object)| object.clone()).collect()
    }

    pub(super) fn put(&mut self, collection: &str, mut object: Value) {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let uid = format!("uid-of-{name}");
        object["metadata"]["uid"]
            .is_null()
            .then(|| object["metadata"]["uid"] = json!(uid));
        self.store((collection.to_owned(), name), object);
    }

    pub(super) fn change(&mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let key = self.key(kind, name).expect("the object is there");
        let mut object = self.objects[&key].clone();
        change(&mut object);
        self.store(key, object);
    }

    /// Stores the object under a new version, and a new generation if its spec changed. An unchanged object keeps its
    /// version. A deleted object disappears with its last finalizer.
    pub(super) fn store(&mut self, key: (String, String), mut object: Value) -> Value {
        let before = self.objects.get(&key);
        if before == Some(&object) {
            return object;
        }
        self.version += 1;
        let generation = before.map_or(0, |it| it["metadata"]["generation"].as_u64().unwrap_or(0));
        let is_changed = before.is_none_or(|before| before["spec"] != object["spec"]);
        object["metadata"]["generation"] = json!(generation + u64::from(is_changed));
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let metadata = &object["metadata"];
        let is_held = metadata["finalizers"]
            .as_array()
            .is_some_and(|all| !all.is_empty());
        if metadata["deletionTimestamp"].is_string() && !is_held {
            self.objects.remove(&key);
            self.removed.push((key.0, object.clone()));
        } else {
            self.objects.insert(key, object.clone());
        }
        object
    }

    /// Events of a watched collection after the version, in their order.
    pub(super) fn changed_since(&self, request: &RecordedRequest, known: u64) -> Vec<Value> {
        let version = |object: &Value| {
            let version = object["metadata"]["resourceVersion"].as_str()?;
            version.parse::<u64>().ok()
        };
        let objects = self.objects.iter();
        let objects = objects.map(|((collection, _), object)| ("MODIFIED", collection, object));
        let removed = self.removed.iter();
        let removed = removed.map(|(collection, object)| ("DELETED", collection, object));
        let mut changes: Vec<_> = objects
            .chain(removed)
            .filter(|(_, collection, object)| {
                **collection == request.collection && version(object) > Some(known)
            })
            .collect();
        changes.sort_by_key(|(_, _, object)| version(object));
        let event = |(kind, _, object)| json!({ "type": kind, "object": object });
        changes.into_iter().map(event).collect()
    }

    pub(super) fn version(&self) -> String {
        self.version.to_string()
    }

    pub(super) fn picture(&self) -> Value {
        let mut picture = json!({});
        for ((collection, name), object) in &self.objects {
            let kind = collection.rsplit('/').next().unwrap_or_default();
            if matches!(kind, "events" | "leases") {
                continue;
            }
            let mut object = object.clone();
            object["metadata"]["resourceVersion"].take();
            object["metadata"]["generation"].take();
            object["status"]["idleSince"].take();
            object["status"]["observedGeneration"].take();
            object["status"]["observedAt"].take();
            for condition in object["status"]["conditions"]
                .as_array_mut()
                .into_iter()
                .flatten()
            {
                condition["lastTransitionTime"].take();
                condition["observedGeneration"].take();
            }
            picture[format!("{kind}/{name}")] = object;
        }
        picture
    }

    fn key(&self, kind: &str, name: &str) -> Option<(String, String)> {
        let mut keys = self.objects.keys();
        keys.find(|(collection, other)| is_of(collection, kind) && other == name)
            .cloned()
    }
}

fn is_of(collection: &str, kind: &str) -> bool {
    collection.rsplit('/').next() == Some(kind)
}
