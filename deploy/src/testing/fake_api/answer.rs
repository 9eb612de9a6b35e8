//! Answers to requests.

use serde_json::{Value, json};

use super::RecordedRequest;
use super::lists::refusal;
use super::state::FakeApiState;
use super::{builtin, scale, schema};

type FakeResponse = (u16, Value);

impl FakeApiState {
    pub(super) fn answer(&mut self, request: &RecordedRequest) -> FakeResponse {
        if let Some(left) = self.lets_through.as_mut() {
            let Some(less) = left.checked_sub(1) else {
                return failure(500, "InternalError", "the fake API is broken");
            };
            *left = less;
        }
        self.requests.push(request.clone());
        if self.forbidden.iter().any(|kind| kind == request.kind()) {
            return failure(403, "Forbidden", "you may not");
        }
        let Some(name) = request.name.clone() else {
            return match request.method.as_str() {
                "GET" => (200, self.list(request)),
                _ => self.create(request),
            };
        };
        let key = (request.collection.clone(), name);
        let before = self.objects.get(&key).cloned();
        match (request.method.as_str(), before) {
            ("PATCH", before) if request.content_type == "application/apply-patch+yaml" => {
                self.apply(request, key, before)
            }
            (_, None) => failure(404, "NotFound", "there is no such object"),
            ("GET", Some(object)) if request.is_scale() => scale::read(&object).map_or_else(
                || {
                    failure(
                        500,
                        "InternalError",
                        "the spec replicas field \".spec.replicas\" does not exist",
                    )
                },
                |scale| (200, scale),
            ),
            ("PUT" | "PATCH", Some(before)) if request.is_scale() => {
                self.scale(request, key, &before)
            }
            ("GET", Some(object)) => (200, object),
            ("DELETE", Some(object)) => self.delete(request, key, object),
            ("PUT", Some(before)) => self.replace(request, key, &before),
            ("PATCH", Some(before)) => self.patch(request, key, before),
            (method, _) => panic!("the fake API does not know {method}"),
        }
    }

    fn list(&self, request: &RecordedRequest) -> Value {
        let labels: Vec<_> = request
            .parameter("labelSelector")
            .into_iter()
            .flat_map(|selector| selector.split(','))
            .filter_map(|pair| pair.split_once('='))
            .collect();
        let fits = |object: &&Value| {
            let has = &object["metadata"]["labels"];
            labels.iter().all(|(key, value)| has[key] == *value)
        };
        let of_kind = self
            .objects
            .iter()
            .filter(|((collection, _), _)| *collection == request.collection);
        let items: Vec<_> = of_kind.map(|(_, object)| object).filter(fits).collect();
        json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": self.version() }, "items": items })
    }

    fn create(&mut self, request: &RecordedRequest) -> FakeResponse {
        let name = request.body["metadata"]["name"]
            .as_str()
            .unwrap_or_default();
        let key = (request.collection.clone(), name.to_owned());
        if self.objects.contains_key(&key) {
            return failure(409, "AlreadyExists", "there is one already");
        }
        self.accept(request, key, None, request.body.clone())
    }

    fn scale(
        &mut self,
        request: &RecordedRequest,
        key: (String, String),
        before: &Value,
    ) -> FakeResponse {
        let written = match scale::written(request, before) {
            Ok(object) => self.accept(request, key, Some(before), object),
            Err(why) => failure(422, "Invalid", &why),
        };
        match written {
            (200, object) => (200, scale::read(&object).unwrap_or_default()),
            refused => refused,
        }
    }

    /// Stores the changed object, unless the object is invalid or the request names an older version. A request
    /// to a subresource changes only the part of the subresource, and a request to the object no status.
    fn accept(
        &mut self,
        request: &RecordedRequest,
        key: (String, String),
        before: Option<&Value>,
        mut object: Value,
    ) -> FakeResponse {
        if let Some(before) = before {
            let (theirs, ours) = (
                &object["metadata"]["resourceVersion"],
                &before["metadata"]["resourceVersion"],
            );
            if !theirs.is_null() && theirs != ours {
                return failure(
                    409,
                    "Conflict",
                    "the object has been modified; please apply your changes to the latest version",
                );
            }
            object["metadata"]["resourceVersion"] = ours.clone();
        }
        if request.subresource.as_deref() == Some("status") {
            let status = object["status"].take();
            object = before.cloned().unwrap_or_default();
            object["status"] = status;
        } else {
            keep_status(&mut object, before);
        }
        let why = match request.kind() {
            "pipelines" => schema::refusals(&object, before).join(", "),
            kind => builtin::invalid(kind, before, &object).unwrap_or_default(),
        };
        if !why.is_empty() {
            return failure(422, "Invalid", &why);
        }
        (
            if before.is_some() { 200 } else { 201 },
            self.store(key, object),
        )
    }

    fn replace(
        &mut self,
        request: &RecordedRequest,
        key: (String, String),
        before: &Value,
    ) -> FakeResponse {
        self.accept(request, key, Some(before), request.body.clone())
    }

    /// Deletes an object, which disappears with its last finalizer; a pod goes after its grace.
    fn delete(
        &mut self,
        request: &RecordedRequest,
        key: (String, String),
        mut object: Value,
    ) -> FakeResponse {
        let (theirs, ours) = (
            &request.body["preconditions"]["uid"],
            &object["metadata"]["uid"],
        );
        if !theirs.is_null() && theirs != ours {
            return failure(
                409,
                "Conflict",
                "the UID in the precondition does not match the UID in record",
            );
        }
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        if request.kind() == "pods" {
            object["metadata"]["finalizers"] = json!(["grace"]);
        }
        (200, self.store(key, object))
    }

    /// Server-side apply by a single manager: fields that the manager no longer applies are removed.
    fn apply(
        &mut self,
        request: &RecordedRequest,
        key: (String, String),
        before: Option<Value>,
    ) -> FakeResponse {
        assert!(
            request.parameter("fieldManager").is_some(),
            "whose fields are they?"
        );
        if let Some(why) = refusal(&request.body) {
            // A real server answers with neither a code nor a reason of its own.
            return failure(500, "", &why);
        }
        match builtin::undeclared_field(request.kind(), &request.body) {
            Ok(None) => {}
            Ok(Some(path)) => {
                return failure(
                    500,
                    "",
                    &format!(
                        "failed to create typed patch object: {path}: field not declared in schema"
                    ),
                );
            }
            Err(why) => {
                return failure(
                    500,
                    "",
                    &format!("failed to create typed patch object: {why}"),
                );
            }
        }
        let body = &request.body;
        assert!(
            body["apiVersion"].is_string() && body["kind"].is_string(),
            "what is applied? {body}"
        );
        let Some(mut object) = before else {
            if request.subresource.is_some() {
                return failure(404, "NotFound", "there is no such object");
            }
            let mut object = body.clone();
            object["metadata"]["uid"] = json!(format!("uid-of-{}", key.1));
            return self.accept(request, key, None, object);
        };
        let before = object.clone();
        if request.subresource.is_some() {
            object["status"] = body["status"].clone();
            return self.accept(request, key, Some(&before), object);
        }
        for field in ["spec", "data"] {
            if !body[field].is_null() {
                object[field] = body[field].clone();
            }
        }
        json_patch::merge(&mut object["metadata"], &body["metadata"]);
        self.accept(request, key, Some(&before), object)
    }

    fn patch(
        &mut self,
        request: &RecordedRequest,
        key: (String, String),
        mut object: Value,
    ) -> FakeResponse {
        if request.content_type == "application/merge-patch+json" {
            let before = object.clone();
            json_patch::merge(&mut object, &request.body);
            return self.accept(request, key, Some(&before), object);
        }
        let before = object.clone();
        let mut patch: json_patch::Patch = serde_json::from_value(request.body.clone()).unwrap();
        // A real server treats an absent value as null.
        patch.0.retain(|operation| match operation {
            json_patch::PatchOperation::Test(test) => {
                !test.value.is_null() || object.pointer(test.path.as_str()).is_some()
            }
            _ => true,
        });
        match json_patch::patch(&mut object, &patch) {
            Ok(()) => self.accept(request, key, Some(&before), object),
            Err(error) => failure(422, "Invalid", &error.to_string()),
        }
    }
}

/// The status is written through its own subresource.
fn keep_status(object: &mut Value, before: Option<&Value>) {
    let status = before.and_then(|before| before.get("status")).cloned();
    if let Some(fields) = object.as_object_mut() {
        match status {
            Some(status) => fields.insert("status".to_owned(), status),
            None => fields.remove("status"),
        };
    }
}

fn failure(code: u16, reason: &str, message: &str) -> FakeResponse {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    });
    (code, status)
}
