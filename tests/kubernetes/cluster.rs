//! The cluster that `KUBECONFIG` names, by way of `kubectl`.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Once;

use drover_tests::{repository, unique};
use serde_json::{Value, json};

/// A namespace of the test in the cluster; deleted on drop.
pub(crate) struct Cluster {
    pub(crate) namespace: String,
}

impl Cluster {
    /// A new namespace with the operator's rights in it; none without a cluster, and that is said.
    pub(crate) fn reach() -> Option<Self> {
        static DEFINED: Once = Once::new();
        if variable("KUBECONFIG").is_none() {
            let mut stderr = std::io::stderr();
            let _ = writeln!(
                stderr,
                "SKIPPED: set KUBECONFIG to a cluster's configuration to run the tests on Kubernetes"
            );
            return None;
        }
        DEFINED.call_once(|| {
            let definition = repository().join("deploy/crd/pipelines.yaml");
            done(
                kubectl(["apply", "--server-side", "--force-conflicts", "--filename"])
                    .arg(definition),
            );
            done(kubectl([
                "wait",
                "--for=condition=Established",
                "--timeout=60s",
                "crd/pipelines.drover.dev",
            ]));
        });
        let cluster = Self {
            namespace: unique("drover-test"),
        };
        done(kubectl(["create", "namespace", &cluster.namespace]));
        cluster.grant();
        Some(cluster)
    }

    /// The roles as installed, in the namespace of the test.
    fn grant(&self) {
        let rbac =
            fs::read_to_string(repository().join("deploy/kubernetes/base/rbac.yaml")).unwrap();
        let subject = "- kind: ServiceAccount\n    name: drover-operator\n";
        let here = rbac
            .replace(
                subject,
                &format!("{subject}    namespace: {}\n", self.namespace),
            )
            .replace("drover-operator-nodes.drover", &self.nodes_role())
            .replace("drover-operator-nodes", &self.nodes_role());
        self.apply_text(&here);
    }

    fn nodes_role(&self) -> String {
        format!("{}-nodes", self.namespace)
    }

    /// A configuration with which the operator is its own service account.
    pub(crate) fn configuration(&self, folder: &Path) -> PathBuf {
        let token = done(self.kubectl(["create", "token", "drover-operator", "--duration=1h"]));
        let view = done(kubectl([
            "config",
            "view",
            "--minify",
            "--raw",
            "--flatten",
            "--output=json",
        ]));
        let view: Value = serde_json::from_str(&view).unwrap();
        let configuration = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "operator",
            "clusters": [{ "name": "cluster", "cluster": view["clusters"][0]["cluster"] }],
            "users": [{ "name": "operator", "user": { "token": token.trim() } }],
            "contexts": [{ "name": "operator", "context": { "cluster": "cluster", "user": "operator", "namespace": self.namespace } }],
        });
        let path = folder.join("operator.kubeconfig");
        fs::write(&path, configuration.to_string()).unwrap();
        path
    }

    fn kubectl(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let mut command = kubectl(["--namespace", &self.namespace]);
        command.args(arguments);
        command
    }

    pub(crate) fn apply(&self, object: &Value) {
        self.apply_text(&object.to_string());
    }

    fn apply_text(&self, text: &str) {
        let output = self.try_to_apply(text);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Answers of the cluster to these objects.
    pub(crate) fn refusal(&self, object: &Value) -> String {
        let output = self.try_to_apply(&object.to_string());
        assert!(!output.status.success(), "it was not refused: {object}");
        said(&output)
    }

    fn try_to_apply(&self, text: &str) -> Output {
        try_to_apply(&self.namespace, text)
    }

    /// An object as it is now; null if there is none.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Value {
        let text = done(self.kubectl(["get", kind, name, "--ignore-not-found", "--output=json"]));
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// All objects of a kind with a label.
    pub(crate) fn list(&self, kind: &str, label: &str) -> Vec<Value> {
        let text = done(self.kubectl(["get", kind, "--selector", label, "--output=json"]));
        let list: Value = serde_json::from_str(&text).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    pub(crate) fn merge(&self, kind: &str, name: &str, patch: &Value) {
        done(self.kubectl([
            "patch",
            kind,
            name,
            "--type=merge",
            "--patch",
            &patch.to_string(),
        ]));
    }

    /// Deletes the namespace, and fails if that takes longer than a minute.
    pub(crate) fn delete_namespace(&self) {
        done(kubectl([
            "delete",
            "namespace",
            &self.namespace,
            "--timeout=60s",
        ]));
    }

    /// Scales a pipeline, as people do.
    pub(crate) fn scale(&self, name: &str, replicas: u32) {
        let replicas = format!("--replicas={replicas}");
        done(self.kubectl(["scale", &format!("pipeline/{name}"), &replicas]));
    }

    /// Says of an object what a kubelet would.
    pub(crate) fn set_status(&self, kind: &str, name: &str, status: &Value) {
        let patch = json!({ "status": status }).to_string();
        done(self.kubectl([
            "patch",
            kind,
            name,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch,
        ]));
    }

    /// Answer of a pod over HTTP, by way of the API server; none while the pod does not answer.
    pub(crate) fn ask_pod(&self, name: &str, port: u16, path: &str) -> String {
        let (namespace, pod) = (&self.namespace, format!("{name}:{port}"));
        let url = format!("/api/v1/namespaces/{namespace}/pods/{pod}/proxy{path}");
        let output = kubectl(["get", "--raw", &url]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends a pod at once, as the loss of its node would.
    pub(crate) fn kill_pod(&self, name: &str) {
        done(self.kubectl([
            "delete",
            "pod",
            name,
            "--grace-period=0",
            "--force",
            "--wait=false",
        ]));
    }

    /// Deletes an object and does not wait until it is gone.
    pub(crate) fn delete(&self, kind: &str, name: &str) {
        done(self.kubectl(["delete", kind, name, "--wait=false", "--ignore-not-found"]));
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // An older operator may have set finalizers.
        let pipelines = self.kubectl(["get", "pipelines", "--output=name"]).output();
        for name in pipelines
            .iter()
            .flat_map(|it| it.stdout.split(|byte| *byte == b'\n'))
        {
            let name = String::from_utf8_lossy(name).into_owned();
            if !name.is_empty() {
                let patch = r#"{"metadata":{"finalizers":null}}"#;
                let _ = self
                    .kubectl(["patch", &name, "--type=merge", "--patch", patch])
                    .output();
            }
        }
        for object in [
            format!("namespace/{}", self.namespace),
            format!("clusterrole/{}", self.nodes_role()),
            format!("clusterrolebinding/{}", self.nodes_role()),
        ] {
            let _ = kubectl(["delete", "--wait=false", "--ignore-not-found", &object]).output();
        }
    }
}

/// A setting of the tests.
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no command line of their own"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn kubectl(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new("kubectl");
    command.args(arguments);
    command
}

/// Applies an object in a namespace that is not the test's.
pub(crate) fn apply_in(namespace: &str, object: &Value) {
    let output = try_to_apply(namespace, &object.to_string());
    assert!(output.status.success(), "{}", said(&output));
}

/// Deletes such an object, if the cluster lets us.
pub(crate) fn delete_in(namespace: &str, kind: &str, name: &str) {
    let mut command = kubectl(["--namespace", namespace, "delete", kind, name]);
    let _ = command
        .args(["--wait=false", "--ignore-not-found"])
        .output();
}

fn try_to_apply(namespace: &str, text: &str) -> Output {
    let mut child = kubectl(["--namespace", namespace, "apply", "--server-side"])
        .args(["--force-conflicts", "--filename=-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Output of a call that must succeed.
#[track_caller]
fn done(mut command: impl std::borrow::BorrowMut<Command>) -> String {
    let command = command.borrow_mut();
    let output = command.output().expect("kubectl is installed");
    assert!(output.status.success(), "{command:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}
