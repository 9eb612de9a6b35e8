//! The manifests that people install: each object is one of Kubernetes' own, with no field that its type does not have.
//!
//! `DROVER_RENDERED` may name further files, such as what kustomize and Helm make of the manifests; `deploy/check` does.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, PersistentVolumeClaim, Secret, Service, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// All YAML files below a directory but those that only kustomize, Helm or another operator reads.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "rabbitmq-operator" {
            files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml") && name != "kustomization.yaml" {
            found.push(path);
        }
    }
}

fn manifests() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    files(&root.join("kubernetes"), &mut found);
    files(&root.join("crd"), &mut found);
    #[expect(
        clippy::disallowed_methods,
        reason = "who renders files says where they are"
    )]
    let rendered = std::env::var("DROVER_RENDERED").unwrap_or_default();
    found.extend(rendered.split_whitespace().map(PathBuf::from));
    found
}

/// The objects of a file.
fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    objects
        .into_iter()
        .filter(|object| !object.is_null())
        .collect()
}

/// Fields of an object that its Kubernetes type does not keep.
fn lost<T: DeserializeOwned + Serialize>(object: &Value) -> Vec<String> {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    let mut lost = Vec::new();
    compare(object, &serde_json::to_value(typed).unwrap(), "", &mut lost);
    lost
}

fn compare(written: &Value, kept: &Value, path: &str, lost: &mut Vec<String>) {
    match (written, kept) {
        (Value::Object(fields), _) => {
            for (field, value) in fields {
                // Empty values may be left out.
                let is_empty = value.is_null()
                    || value.as_array().is_some_and(Vec::is_empty)
                    || value.as_object().is_some_and(serde_json::Map::is_empty);
                if !is_empty {
                    compare(value, &kept[field], &format!("{path}.{field}"), lost);
                }
            }
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            for (number, (item, other)) in items.iter().zip(others).enumerate() {
                compare(item, other, &format!("{path}[{number}]"), lost);
            }
        }
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
        (one, other) if one == other => {}
        (one, other) => lost.push(format!("{path}: {one} became {other}")),
    }
}

fn lost_of(object: &Value) -> Vec<String> {
    match object["kind"].as_str().unwrap() {
        "ClusterRole" => lost::<ClusterRole>(object),
        "ClusterRoleBinding" => lost::<ClusterRoleBinding>(object),
        "ConfigMap" => lost::<ConfigMap>(object),
        "CustomResourceDefinition" => lost::<CustomResourceDefinition>(object),
        "Deployment" => lost::<Deployment>(object),
        "Namespace" => lost::<Namespace>(object),
        "NetworkPolicy" => lost::<NetworkPolicy>(object),
        "PersistentVolumeClaim" => lost::<PersistentVolumeClaim>(object),
        "PodDisruptionBudget" => lost::<PodDisruptionBudget>(object),
        "Role" => lost::<Role>(object),
        "RoleBinding" => lost::<RoleBinding>(object),
        "Secret" => lost::<Secret>(object),
        "Service" => lost::<Service>(object),
        "ServiceAccount" => lost::<ServiceAccount>(object),
        "StatefulSet" => lost::<StatefulSet>(object),
        // No type of Kubernetes' own; its definition comes with the Prometheus operator.
        "PodMonitor" => Vec::new(),
        other => panic!("{other} is not known here"),
    }
}

#[test]
fn every_object_is_valid_by_the_types_of_kubernetes() {
    let mut seen = 0;
    for path in manifests() {
        for object in objects(&path) {
            let lost = lost_of(&object);
            let name = &object["metadata"]["name"];
            assert!(
                lost.is_empty(),
                "{}: {} {name}: {lost:#?}",
                path.display(),
                object["kind"]
            );
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} objects were found");
}

#[test]
fn pods_are_found_by_the_labels_that_they_have() {
    for path in manifests() {
        for object in objects(&path) {
            let (selector, labels) = (
                &object["spec"]["selector"]["matchLabels"],
                &object["spec"]["template"]["metadata"]["labels"],
            );
            if !labels.is_object() {
                continue;
            }
            for (key, value) in selector.as_object().unwrap() {
                assert_eq!(labels[key], *value, "{}", path.display());
            }
        }
    }
}

#[test]
fn a_volume_is_handed_to_a_pods_group_once_and_left_alone_afterwards() {
    for path in manifests() {
        for object in objects(&path) {
            let context = &object["spec"]["template"]["spec"]["securityContext"];
            if context["fsGroup"].is_number() {
                // Else each start goes through all files, and opens those to the group that are their owner's alone.
                assert_eq!(
                    context["fsGroupChangePolicy"],
                    "OnRootMismatch",
                    "{}: {}",
                    path.display(),
                    object["metadata"]["name"]
                );
            }
        }
    }
}

#[test]
fn the_chart_has_the_definition_that_is_committed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path| fs::read_to_string(root.join(path)).unwrap();
    assert_eq!(
        read("helm/drover/crds/pipelines.yaml"),
        read("crd/pipelines.yaml")
    );
}

#[test]
fn the_objects_of_a_file_are_in_one_namespace() {
    for path in manifests() {
        let objects = objects(&path);
        let own = objects
            .iter()
            .map(|object| &object["metadata"]["namespace"]);
        let subjects = objects
            .iter()
            .flat_map(|object| object["subjects"].as_array().into_iter().flatten());
        let all: BTreeSet<_> = own
            .chain(subjects.map(|subject| &subject["namespace"]))
            .filter_map(Value::as_str)
            .collect();
        let namespaces = objects
            .iter()
            .filter(|object| object["kind"] == "Namespace");
        for namespace in namespaces {
            let name = namespace["metadata"]["name"].as_str().unwrap();
            assert!(all.is_empty() || all.contains(name), "{}", path.display());
        }
        assert!(all.len() <= 1, "{}: {all:?}", path.display());
    }
}
