//! Real pods. These tests need kubelets, and images that these can pull or have:
//!
//! | variable | meaning |
//! |---|---|
//! | `DROVER_TEST_IMAGE` | an image with `sh` and `sleep` for the command; without it these tests are skipped |
//! | `DROVER_TEST_WORKER_IMAGE` | the image that the worker comes from |
//! | `DROVER_TEST_WORKER_PATH` | or: where the worker lies in `DROVER_TEST_IMAGE` itself |
//! | `DROVER_TEST_PULL_POLICY` | `IfNotPresent` by default |
//! | `DROVER_TEST_BROKER`, `DROVER_TEST_STORE` | a broker and a bucket that pods, and this machine, reach |
//! | `DROVER_TEST_STORE_ENV` | the bucket's credentials, as `NAME=VALUE` with commas |

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Command;

use drover_tests::{Running, drover, drover_operator, eventually, unique};
use serde_json::{Value, json};

use crate::cluster::{Cluster, variable};

/// Requirements of real pods.
struct Surroundings {
    image: String,
    worker: [String; 2],
    pull_policy: String,
    broker: String,
    store: String,
    credentials: BTreeMap<String, String>,
}

impl Surroundings {
    /// The value of the variable; none, with a message, if the variable is missing.
    fn given() -> Option<Self> {
        let given = || {
            let worker = match variable("DROVER_TEST_WORKER_PATH") {
                Some(path) => ["--worker-path".to_owned(), path],
                None => [
                    "--worker-image".to_owned(),
                    variable("DROVER_TEST_WORKER_IMAGE")?,
                ],
            };
            let credentials = variable("DROVER_TEST_STORE_ENV").unwrap_or_default();
            let pairs = credentials
                .split(',')
                .filter_map(|pair| pair.split_once('='));
            Some(Self {
                image: variable("DROVER_TEST_IMAGE")?,
                worker,
                pull_policy: variable("DROVER_TEST_PULL_POLICY")
                    .unwrap_or_else(|| "IfNotPresent".to_owned()),
                broker: variable("DROVER_TEST_BROKER")?,
                store: variable("DROVER_TEST_STORE")?,
                credentials: pairs
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
            })
        };
        let given = given();
        if given.is_none() {
            let mut stderr = std::io::stderr();
            let _ = writeln!(
                stderr,
                "SKIPPED: tests with real pods; tests/kubernetes/pods.rs says which variables they need"
            );
        }
        given
    }
}

/// A namespace in which pods work for real.
struct Field {
    cluster: Cluster,
    around: Surroundings,
    folder: tempfile::TempDir,
    /// Objects of the test in the bucket.
    pipelines: RefCell<Vec<String>>,
}

impl Field {
    fn reach() -> Option<Self> {
        let around = Surroundings::given()?;
        let field = Self {
            cluster: Cluster::reach()?,
            around,
            folder: tempfile::tempdir().unwrap(),
            pipelines: RefCell::default(),
        };
        field.secret("drover-broker", &json!({ "url": field.around.broker }));
        field.secret("drover-store", &json!(field.around.credentials));
        Some(field)
    }

    fn secret(&self, name: &str, data: &Value) {
        self.cluster.apply(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data }));
    }

    fn command(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new(program);
        command
            .envs(&self.around.credentials)
            .env("DROVER_BROKER", &self.around.broker)
            .env("DROVER_STORE", &self.around.store);
        command
    }

    fn operator(&self) -> Running {
        let mut command = self.command(drover_operator());
        command
            .env("KUBECONFIG", self.cluster.configuration(self.folder.path()))
            .args([
                "--namespace",
                &self.cluster.namespace,
                "--store-secret",
                "drover-store",
            ])
            .args(["--pull-policy", &self.around.pull_policy])
            .args(&self.around.worker);
        Running::start(command, &self.folder.path().join("operator"))
    }

    fn service(&self) -> Running {
        let mut command = self.command(drover());
        command.arg("serve");
        Running::start(command, &self.folder.path().join("service"))
    }

    /// Runs `drover` to the end and returns the output.
    fn call(&self, arguments: &[&str]) -> String {
        let output = self.command(drover()).args(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Puts so many files into the store, in the folder `repo`.
    fn fill(&self, repo: &str, files: usize) {
        for number in 0..files {
            self.file(&format!("files/{number:03}"), &number.to_string());
        }
        let copy = json!({
            "pipeline": { "name": repo },
            "transform": { "cmd": ["sh"], "stdin": ["cp /pfs/files/* /pfs/out/"] },
            "input": { "pfs": { "repo": "files", "glob": "/*" } },
        });
        let spec = self.file("fill.json", &copy.to_string());
        let from = format!("files={}", self.folder.path().join("files").display());
        self.call(&["run", &spec, "--input", &from]);
    }

    /// A pipeline that runs a script over the files of a folder, on two workers.
    fn pipeline(&self, name: &str, repo: &str, script: &str) {
        let spec = json!({
            "pipeline": { "name": name },
            "transform": { "image": self.around.image, "cmd": ["sh"], "stdin": [script] },
            "input": { "pfs": { "repo": repo, "glob": "/*" } },
            "parallelism_spec": { "constant": 2 },
            "datum_timeout": "2m",
        });
        self.cluster.apply(&json!({
            "apiVersion": "drover.dev/v1alpha1",
            "kind": "Pipeline",
            "metadata": { "name": name },
            "spec": spec,
        }));
        self.pipelines.borrow_mut().push(name.to_owned());
    }

    /// The job that the service starts for the pipeline once inputs exist.
    fn started(&self, name: &str) -> String {
        let mut job = None;
        eventually("a job is started", || {
            let pipeline = self.cluster.get("pipeline", name);
            let id = pipeline["status"]["lastJob"]["id"].as_str();
            job = id.map(str::to_owned);
            job.is_some()
        });
        job.unwrap()
    }

    fn pods(&self, name: &str) -> Vec<String> {
        let pods = self
            .cluster
            .list("pods", &format!("drover.dev/pipeline={name}"));
        let names = pods
            .iter()
            .filter_map(|pod| pod["metadata"]["name"].as_str());
        names.map(str::to_owned).collect()
    }
}

impl Drop for Field {
    /// Otherwise the next service on the bucket would start the jobs of the test.
    fn drop(&mut self) {
        for name in self.pipelines.borrow().iter() {
            let mut command = self.command(drover());
            let _ = command.args(["delete", "pipeline", name]).output();
        }
    }
}

#[test]
fn a_pod_that_is_killed_in_the_middle_of_a_datum_costs_nothing_but_time() {
    let Some(field) = Field::reach() else { return };
    let _operator = field.operator();
    let _service = field.service();
    let (name, repo) = (unique("made"), unique("filled"));
    field.fill(&repo, 20);
    let script = format!("sleep 3; cp /pfs/{repo}/* /pfs/out/");
    field.pipeline(&name, &repo, &script);
    let ready = || field.cluster.get("pipeline", &name)["status"]["readyReplicas"] == 2;
    // The test publishes no job: a second job would skip all work of the job that the service starts.
    let job = field.started(&name);
    eventually("both workers are ready", ready);
    let is_busy = |pod: &String| {
        let metrics = field.cluster.ask_pod(pod, 9090, "/metrics");
        metrics.lines().any(|line| line == "drover_slots_busy 1")
    };
    let mut victim = None;
    eventually("a datum runs in a pod", || {
        victim = field.pods(&name).into_iter().find(is_busy);
        victim.is_some()
    });
    let victim = victim.unwrap();
    eventually("autoscalers of nodes leave the busy pod alone", || {
        let annotations = field.cluster.get("pod", &victim)["metadata"]["annotations"].clone();
        annotations["karpenter.sh/do-not-disrupt"] == "true"
            && annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    });
    field.cluster.kill_pod(&victim);
    let record: Value =
        serde_json::from_str(&field.call(&["wait", &job, "--output", "json"])).unwrap();
    assert_eq!(record["state"], "success", "{record}");
    assert_eq!(record["datums"]["total"], 20, "{record}");
    assert_eq!(record["datums"]["failed"], 0, "{record}");
    eventually("another pod took its place", ready);
}

#[test]
fn a_command_in_a_pod_reads_no_credentials() {
    let Some(field) = Field::reach() else { return };
    let _operator = field.operator();
    let _service = field.service();
    let (name, repo) = (unique("made"), unique("filled"));
    field.fill(&repo, 1);
    let script = "if env | grep -q DROVER_BROKER || cat /proc/[0-9]*/environ 2>/dev/null | grep -q DROVER_BROKER; then exit 9; fi";
    field.pipeline(&name, &repo, script);
    field.call(&["wait", &field.started(&name)]);
}
