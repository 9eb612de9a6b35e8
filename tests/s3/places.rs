//! Buckets beside the store: inputs read in workspace, and outputs copied there.

use drover_tests::{Spec, Workspace, files};
use serde_json::json;

use crate::field::Field;

fn from(url: &str) -> Spec {
    let input = json!({ "pfs": { "name": "in", "url": url, "glob": "/*" } });
    Spec::new("copy").set("input", input)
}

#[test]
fn outputs_go_to_another_bucket() {
    let field = Field::new();
    field.s3.put_numbered("cluster/in", 3);
    let spec = Spec::new("copy")
        .reads("in", "/*")
        .set("egress", json!({ "URL": "s3://other/out" }));
    field.succeeds(&spec);
    assert_eq!(field.s3.tree("other/out"), field.tree("in"));
}

#[test]
fn outputs_of_a_folder_go_to_a_bucket() {
    let field = Field::new();
    field.workspace.numbered_files("in", 3);
    let spec = Spec::new("copy")
        .reads("in", "/*")
        .set("egress", json!({ "URL": "s3://other/out" }));
    on_the_folder(&field, &spec);
    assert_eq!(field.s3.tree("other/out"), field.workspace.tree("in"));
}

#[test]
fn a_folder_store_reads_a_bucket() {
    let field = Field::new();
    field.s3.put("other/deep/a", "ant\n");
    on_the_folder(&field, &from("s3://other/deep"));
    assert_eq!(field.workspace.tree("copy"), files([("a", "ant\n")]));
}

#[test]
fn a_bucket_store_reads_a_folder_and_another_bucket() {
    let (field, elsewhere) = (Field::new(), Workspace::new());
    elsewhere.file("near/a", "ant\n");
    field.s3.put("other/b", "bee\n");
    let near = elsewhere.path("near").to_str().unwrap().to_owned();
    field.succeeds(&from(&near));
    assert_eq!(field.tree("copy"), files([("a", "ant\n")]));
    field.succeeds(&from("s3://other"));
    assert_eq!(field.tree("copy"), files([("b", "bee\n")]));
}

#[test]
fn a_machine_without_certificates_reaches_a_bucket() {
    let field = Field::new();
    let nothing = field.workspace.path("no-certificates");
    std::fs::create_dir(&nothing).unwrap();
    let mut command = field.command(&["jobs"]);
    command
        .env_remove("SSL_CERT_FILE")
        .env("SSL_CERT_DIR", nothing);
    let outcome = field.workspace.start_command(command).finish();
    assert!(outcome.status.success(), "{}", outcome.stderr);
}

/// Runs a spec that must succeed with the folder as the store.
#[track_caller]
fn on_the_folder(field: &Field, spec: &Spec) {
    let spec = field.workspace.spec(spec);
    let mut command = field.command(&["run", &spec]);
    command.env_remove("DROVER_STORE");
    field.workspace.start_command(command).finish().code(0);
}
