//! Snapshots of every generated object, and their validity against the types of Kubernetes.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::crd::{Pipeline, PipelineSpec};
use crate::desired::desired_pipeline;
use crate::settings::{Binary, WorkerSettings};
use crate::testing::workers;

fn plain() -> Value {
    json!({
        "transform": { "image": "convert:1", "cmd": ["convert"] },
        "input": { "pfs": { "repo": "photos", "glob": "/*" } },
    })
}

fn with(fields: impl std::borrow::Borrow<Value>) -> Value {
    let mut spec = plain();
    json_patch::merge(&mut spec, fields.borrow());
    spec
}

/// A spec that uses every pod-related field.
fn everything() -> Value {
    with(json!({
        "pipeline": { "name": "Thumbs_" },
        "metadata": { "labels": { "team": "photos", "app.kubernetes.io/name": "theirs" }, "annotations": { "note": "hello" } },
        "transform": {
            "secrets": [
                { "name": "database", "mount_path": "/secrets/db", "env_var": "PASSWORD", "key": "password" },
                { "name": "cloud", "env_var": "AWS_ACCESS_KEY_ID", "key": "id" },
                { "name": "files", "mount_path": "/secrets/files" },
            ],
            "image_pull_secrets": ["registry", "cluster-registry"],
            "user": "1000:100",
            "env": { "MODE": "fast" },
            "memory_volume": true,
        },
        "datum_timeout": "90s",
        "max_queue_size": 7,
        "resource_requests": { "cpu": 0.5, "memory": "1Gi", "disk": "10Gi", "gpu": { "type": "nvidia.com/gpu", "number": 2 } },
        "resource_limits": { "cpu": 2.0, "memory": "4G" },
        "scheduling_spec": { "node_selector": { "disk": "ssd" }, "priority_class_name": "batch" },
        "tolerations": [
            { "key": "gpu", "operator": "Exists", "effect": "AllEffects" },
            { "key": "old", "value": "yes", "effect": "NoExecute", "seconds": 300 },
        ],
        "pod_spec": r#"{"hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"}"#,
        "pod_patch": r#"[{"op": "add", "path": "/containers/0/env/-", "value": {"name": "EXTRA", "value": "1"}}]"#,
    }))
}

/// A cluster with a volume store and with images that contain the worker.
fn other_workers() -> WorkerSettings {
    WorkerSettings {
        binary: Binary::Path("/usr/local/bin/drover-worker".to_owned()),
        pull_policy: Some("IfNotPresent".to_owned()),
        image_pull_secrets: vec!["cluster-registry".to_owned()],
        store: "/data".to_owned(),
        store_claim: Some("drover-data".to_owned()),
        store_secret: None,
        service_account: Some("drover-worker".to_owned()),
        ..workers()
    }
}

fn made(spec: Value, workers: &WorkerSettings) -> Result<Objects, InvalidPod> {
    let desired = desired_pipeline(&Pipeline::new("thumbs", PipelineSpec(spec))).unwrap();
    let owner = OwnerReference {
        api_version: "drover.dev/v1alpha1".to_owned(),
        kind: "Pipeline".to_owned(),
        name: "thumbs".to_owned(),
        uid: "uid-of-thumbs".to_owned(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let input = ObjectInput {
        name: "thumbs",
        namespace: "farm",
        owner: &owner,
        desired: &desired,
        workers,
        class: WorkerClass::Usual,
    };
    objects(&input).map(|objects| objects.scaled(3))
}

fn pod(spec: Value, workers: &WorkerSettings) -> Value {
    made(spec, workers).unwrap().deployment["spec"]["template"]["spec"].take()
}

fn yaml(object: &Value) -> String {
    serde_saphyr::to_string(object).unwrap()
}

#[test]
fn the_objects_of_a_plain_pipeline() {
    let objects = made(plain(), &workers()).unwrap();
    insta::assert_snapshot!("config_map", yaml(&objects.config_map));
    insta::assert_snapshot!("budget", yaml(&objects.budget));
    insta::assert_snapshot!("deployment", yaml(&objects.deployment));
}

#[test]
fn the_deployment_of_a_pipeline_that_asks_for_everything() {
    let objects = made(everything(), &workers()).unwrap();
    insta::assert_snapshot!("deployment_with_everything", yaml(&objects.deployment));
}

#[test]
fn the_deployment_where_the_store_is_a_folder_and_images_have_the_worker() {
    let objects = made(plain(), &other_workers()).unwrap();
    insta::assert_snapshot!("deployment_on_a_folder", yaml(&objects.deployment));
}

/// Asserts that the object is valid and has no field that is unknown to the type.
fn assert_is<T: DeserializeOwned + Serialize>(object: &Value) {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    assert_eq!(
        serde_json::to_value(typed).unwrap(),
        *object,
        "a field is unknown to the type"
    );
}

#[test]
fn every_object_is_valid_by_the_types_of_kubernetes() {
    for spec in [plain(), everything()] {
        for workers in [workers(), other_workers()] {
            let objects = made(spec.clone(), &workers).unwrap();
            assert_is::<ConfigMap>(&objects.config_map);
            assert_is::<PodDisruptionBudget>(&objects.budget);
            assert_is::<Deployment>(&objects.deployment);
        }
    }
}

#[test]
fn the_selector_depends_on_nothing_but_the_name() {
    let selector =
        |spec, workers| made(spec, workers).unwrap().deployment["spec"]["selector"].take();
    assert_eq!(
        selector(plain(), &workers()),
        selector(everything(), &other_workers())
    );
    let labels = made(everything(), &workers()).unwrap().deployment["spec"]["template"]["metadata"]
        ["labels"]
        .take();
    assert_eq!(
        labels["app.kubernetes.io/name"], "drover-worker",
        "nobody takes our labels"
    );
    assert_eq!(labels["team"], "photos");
}

#[test]
fn no_pod_holds_a_credential_itself() {
    for workers in [workers(), other_workers()] {
        let pod = pod(everything(), &workers);
        for variable in pod["containers"][0]["env"].as_array().unwrap() {
            let name = variable["name"].as_str().unwrap();
            if name == "DROVER_BROKER" || name.starts_with("DROVER_GIVEN_") {
                assert!(
                    variable["valueFrom"]["secretKeyRef"].is_object(),
                    "{variable}"
                );
            }
        }
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert!(
            pod["initContainers"]
                .as_array()
                .into_iter()
                .flatten()
                .all(|it| it["env"].is_null())
        );
    }
}

#[test]
fn kubernetes_waits_longer_than_the_worker_drains() {
    let rows = [
        (
            "without a limit, as long as the cluster waits",
            json!({}),
            "600s",
            616,
        ),
        (
            "no longer than a datum may run",
            json!({ "datum_timeout": "90s" }),
            "95s",
            111,
        ),
        (
            "never longer than the cluster waits",
            json!({ "datum_timeout": "10h" }),
            "600s",
            616,
        ),
        (
            "less than a second",
            json!({ "datum_timeout": "300ms" }),
            "5s",
            21,
        ),
    ];
    for (name, fields, grace, termination) in rows {
        let pod = pod(with(fields), &workers());
        let variables = pod["containers"][0]["env"].as_array().unwrap();
        let told = variables
            .iter()
            .find(|it| it["name"] == "DROVER_GRACE")
            .unwrap();
        assert_eq!(told["value"], grace, "{name}");
        assert_eq!(pod["terminationGracePeriodSeconds"], termination, "{name}");
    }
}

#[test]
fn a_hung_worker_is_replaced_within_a_minute_and_a_half() {
    let probe = &pod(plain(), &workers())["containers"][0]["livenessProbe"];
    let seconds = |field: &str| probe[field].as_u64().unwrap();
    let detected =
        seconds("periodSeconds") * seconds("failureThreshold") + seconds("timeoutSeconds");
    assert!(detected + seconds("terminationGracePeriodSeconds") <= 90);
}

#[test]
fn a_pod_runs_as_whom_the_spec_says_with_no_more_rights_than_that_takes() {
    let none = Value::Null;
    let some = json!([
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "KILL",
        "SETGID",
        "SETUID"
    ]);
    let rows = [
        ("nobody said", json!(null), (65532, 65532), true, &none),
        ("a number", json!("1000"), (1000, 0), true, &none),
        ("with a group", json!("1000:100"), (1000, 100), true, &none),
        ("root", json!("root"), (0, 0), false, &none),
        ("root by number", json!("0:0"), (0, 0), false, &none),
        ("a name", json!("ana"), (0, 0), false, &some),
        ("a group's name", json!("1000:staff"), (0, 0), false, &some),
    ];
    for (name, user, (uid, gid), non_root, capabilities) in rows {
        let pod = pod(with(json!({ "transform": { "user": user } })), &workers());
        let context = &pod["securityContext"];
        assert_eq!(context["runAsUser"], uid, "{name}");
        assert_eq!(context["runAsGroup"], gid, "{name}");
        assert_eq!(context["runAsNonRoot"], non_root, "{name}");
        let container = &pod["containers"][0]["securityContext"];
        assert_eq!(container["capabilities"]["add"], *capabilities, "{name}");
        assert_eq!(container["capabilities"]["drop"], json!(["ALL"]), "{name}");
        assert_eq!(container["allowPrivilegeEscalation"], false, "{name}");
    }
}

#[test]
fn a_volume_is_written_to_by_its_user_or_by_root_and_keeps_its_group() {
    let rows = [
        ("nobody said", json!(null), 65532),
        ("its user", json!("65532"), 65532),
        ("another number", json!("1000:100"), 0),
        ("root", json!("root"), 0),
        ("a name", json!("ana"), 0),
    ];
    for (name, user, uid) in rows {
        let spec = with(json!({ "transform": { "user": user } }));
        let pod = pod(spec, &other_workers());
        let context = &pod["securityContext"];
        assert_eq!(context["runAsUser"], uid, "{name}");
        assert_eq!(context["fsGroup"], 65532, "{name}");
        let capabilities = &pod["containers"][0]["securityContext"]["capabilities"];
        assert_eq!(capabilities["add"].is_array(), uid == 0, "{name}");
    }
}

#[test]
fn what_is_asked_for_is_what_the_spec_says_and_nothing_else() {
    let gpu = json!({ "type": "nvidia.com/gpu", "number": 1 });
    let rows = [
        (json!({}), json!({})),
        (
            json!({ "resource_requests": { "cpu": 0.0015 } }),
            json!({ "requests": { "cpu": "2m" } }),
        ),
        (
            json!({ "resource_limits": { "memory": "64M", "disk": "1Gi" } }),
            json!({ "limits": { "memory": "64M", "ephemeral-storage": "1Gi" } }),
        ),
        (
            json!({ "resource_requests": { "gpu": gpu } }),
            json!({ "requests": { "nvidia.com/gpu": "1" }, "limits": { "nvidia.com/gpu": "1" } }),
        ),
    ];
    for (fields, expected) in rows {
        let pod = pod(with(fields.clone()), &workers());
        assert_eq!(pod["containers"][0]["resources"], expected, "{fields}");
    }
}

#[test]
fn patches_come_last_and_must_leave_a_pod() {
    let patched = |fields| pod(with(fields), &workers());
    let merged =
        patched(json!({ "pod_spec": r#"{"terminationGracePeriodSeconds": 5, "volumes": null}"# }));
    assert_eq!(merged["terminationGracePeriodSeconds"], 5);
    assert!(merged.get("volumes").is_none());
    let both = json!({
        "pod_spec": r#"{"hostname": "one"}"#,
        "pod_patch": r#"[{"op": "replace", "path": "/hostname", "value": "two"}]"#,
    });
    assert_eq!(patched(both)["hostname"], "two");
    let newer = patched(json!({ "pod_spec": r#"{"aFieldOfANewerKubernetes": 1}"# }));
    assert_eq!(
        newer["aFieldOfANewerKubernetes"], 1,
        "what we do not know comes through"
    );
    let refused = |fields| made(with(fields), &workers()).unwrap_err().to_string();
    insta::assert_snapshot!(refused(
        json!({ "pod_patch": r#"[{"op": "remove", "path": "/nowhere"}]"# })
    ));
    insta::assert_snapshot!(refused(json!({ "pod_spec": r#"{"containers": 3}"# })));
}

#[test]
fn a_pod_is_changed_by_its_pipeline_only_where_the_operator_allows_it() {
    let strict = WorkerSettings {
        allow_pod_spec: false,
        ..workers()
    };
    for fields in [
        json!({ "pod_spec": r#"{"hostname": "one"}"# }),
        json!({ "pod_patch": r#"[{"op": "add", "path": "/hostPID", "value": true}]"# }),
    ] {
        let refused = made(with(fields), &strict).unwrap_err();
        assert_eq!(refused, InvalidPod::ChangeNotAllowed);
    }
    let unchanged = json!({ "pod_spec": "", "pod_patch": "" });
    assert!(made(with(unchanged), &strict).is_ok());
}

#[test]
fn no_pipeline_names_a_secret_with_credentials_of_drover() {
    let workers = WorkerSettings {
        image_pull_secrets: vec!["registry".to_owned()],
        ..workers()
    };
    let named = |name: &str, fields: Value| {
        let mut secret = json!({ "name": name });
        json_patch::merge(&mut secret, &fields);
        made(
            with(json!({ "transform": { "secrets": [secret] } })),
            &workers,
        )
    };
    for own in ["drover-broker", "drover-store", "drover-tokens", "registry"] {
        for fields in [
            json!({ "mount_path": "/stolen" }),
            json!({ "env_var": "STOLEN", "key": "url" }),
        ] {
            let refused = named(own, fields).unwrap_err();
            assert_eq!(refused, InvalidPod::OwnSecret(own.to_owned()));
        }
    }
    assert!(named("mine", json!({ "mount_path": "/mine" })).is_ok());
}
