//! The operator's role grants exactly the requests that the operator sends.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::leader::LeaseCandidate;
use crate::operator::FINALIZER;
use crate::testing::Harness;
use crate::testing::RecordedRequest;

const RBAC: &str = include_str!("../../../kubernetes/base/rbac.yaml");

/// Resources that the controller watches; this test sends no watch requests.
const WATCHED: [(&str, &str); 6] = [
    ("drover.dev", "pipelines"),
    ("apps", "deployments"),
    ("", "configmaps"),
    ("policy", "poddisruptionbudgets"),
    ("", "pods"),
    ("", "nodes"),
];

/// A right: verb, API group, resource.
type Right = (String, String, String);

/// The rights in the manifests.
fn given() -> BTreeSet<Right> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(RBAC).unwrap();
    let mut given = BTreeSet::new();
    let texts = |rule: &Value, field: &str| {
        let texts = rule[field].as_array().unwrap().iter();
        texts
            .map(|text| text.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for rule in objects
        .iter()
        .flat_map(|object| object["rules"].as_array().into_iter().flatten())
    {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    given.insert((verb, group.clone(), resource.clone()));
                }
            }
        }
    }
    given
}

/// The rights that a request needs. Server-side apply creates absent objects, which needs the right to create.
fn taken(request: &RecordedRequest) -> Vec<Right> {
    let group = request
        .collection
        .strip_prefix("/apis/")
        .map_or("", |path| path.split('/').next().unwrap());
    let resource = match &request.subresource {
        Some(subresource) => format!("{}/{subresource}", request.kind()),
        None => request.kind().to_owned(),
    };
    let shown = request.to_string();
    let verbs: &[&str] = match shown.split(' ').next().unwrap() {
        "apply" if request.subresource.is_none() => &["patch", "create"],
        "apply" | "patch" | "merge" => &["patch"],
        "replace" => &["update"],
        verb => &[verb],
    };
    let right = |verb: &&str| ((*verb).to_owned(), group.to_owned(), resource.clone());
    verbs.iter().map(right).collect()
}

#[tokio::test]
async fn the_role_allows_what_the_operator_asks_for_and_nothing_else() {
    let harness = Harness::new();
    harness.apply(
        "thumbs",
        json!({ "autoscaling": true, "parallelism_spec": { "constant": 4 } }),
    );
    harness.settle("thumbs").await;
    harness.cluster.change("pipelines", "thumbs", |resource| {
        resource["metadata"]["finalizers"] = json!([FINALIZER]);
    });
    harness.settle("thumbs").await;
    harness.set_backlog(1, 300);
    harness.settle("thumbs").await;
    harness.pods(4, &[1]);
    harness.set_backlog(1, 1);
    harness.settle("thumbs").await;
    harness.pods(3, &[]);
    harness.settle("thumbs").await;
    harness.taint_node_of(1, "karpenter.sh/disrupted");
    harness.settle("thumbs").await;
    harness.delete("thumbs", "2026-01-01T00:00:00Z");
    harness.settle("thumbs").await;
    let candidate = LeaseCandidate::new(
        harness.cluster.client(),
        "farm",
        "drover-operator",
        "me",
        Arc::default(),
    );
    candidate.acquire().await;
    candidate.acquire().await;
    candidate.release().await.unwrap();
    let mut needed: BTreeSet<Right> = harness.cluster.requests().iter().flat_map(taken).collect();
    for (group, resource) in WATCHED {
        for verb in ["list", "watch"] {
            needed.insert((verb.to_owned(), group.to_owned(), resource.to_owned()));
        }
    }
    let given = given();
    let missing: Vec<_> = needed.difference(&given).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    // Repeated events are patched, owner references may need a right, and a watched resource may be read.
    let by_the_way = |right: &&Right| {
        let (verb, _, resource) = (right.0.as_str(), &right.1, right.2.as_str());
        verb == "get"
            || (verb, resource) == ("patch", "events")
            || resource == "pipelines/finalizers"
    };
    let surplus: Vec<_> = given
        .difference(&needed)
        .filter(|right| !by_the_way(right))
        .collect();
    assert!(surplus.is_empty(), "{surplus:#?}");
}
