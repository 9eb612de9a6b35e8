//! Pipeline specs, as short as a test wants them.

use serde_json::{Value, json};

/// A pipeline spec under construction.
#[derive(Clone, Debug)]
pub struct Spec(pub Value);

impl Spec {
    /// A pipeline that copies each input to the output, once an input is set.
    pub fn new(name: &str) -> Self {
        Self(json!({ "pipeline": { "name": name }, "datum_tries": 1, "transform": {} }))
            .sh("mkdir -p /pfs/out; for each in /pfs/*/*; do case $each in /pfs/out/*) ;; *) cp -R \"$each\" /pfs/out/;; esac; done")
    }

    /// Reads the files or directories of `repo` that match `glob`.
    pub fn reads(self, repo: &str, glob: &str) -> Self {
        self.set("input", json!({ "pfs": { "repo": repo, "glob": glob } }))
    }

    /// Runs a shell script.
    pub fn sh(self, script: &str) -> Self {
        self.cmd(&["sh"]).set("transform.stdin", json!([script]))
    }

    /// Runs a command without a shell.
    pub fn cmd(mut self, argv: &[&str]) -> Self {
        if let Some(transform) = self.0["transform"].as_object_mut() {
            transform.remove("stdin");
        }
        self.set("transform.cmd", json!(argv))
    }

    /// Sets a field by its dotted path, such as `transform.user`.
    pub fn set(mut self, path: &str, value: impl Into<Value>) -> Self {
        let pointer = format!("/{}", path.replace('.', "/"));
        let (parent, field) = pointer.rsplit_once('/').expect("a pointer has a slash");
        let parent = self
            .0
            .pointer_mut(parent)
            .unwrap_or_else(|| panic!("no parent for {path}"));
        parent[field] = value.into();
        self
    }

    /// The pipeline's name, which is also its output folder.
    pub fn name(&self) -> &str {
        self.0["pipeline"]["name"]
            .as_str()
            .expect("a spec has a name")
    }
}
