//! Every combination of keys: each object is part of a datum or refused by name, and no other object hinders a job.

use drover_tests::s3::{Fault, FaultKind, Listing};
use drover_tests::{Spec, eventually};
use serde_json::json;
use std::time::Duration;

use crate::field::Field;

fn copy(glob: &str) -> Spec {
    Spec::new("copy")
        .reads("in", glob)
        .cmd(&["sh", "-c", "cp -r /pfs/in/* /pfs/out/ || true"])
}

/// Reads `in` with this glob, without the excluded paths.
fn copy_without(glob: &str, exclude: &str) -> Spec {
    copy(glob).set("input.pfs.exclude", json!(exclude))
}

#[test]
fn an_empty_prefix_is_an_empty_input() {
    let field = Field::new();
    assert_eq!(field.succeeds(&copy("/*")).count("total"), 0);
    assert_eq!(field.succeeds(&copy("/")).counts(), "1: 1 processed");
    field.put("in/a", "x");
    assert_eq!(field.succeeds(&copy("/*")).counts(), "1: 1 processed");
}

#[test]
fn a_folder_marker_is_no_input_and_hinders_nothing() {
    for marker in ["in/2026/", "in/", "in/2026/empty/"] {
        let field = Field::listing(Listing::WithKey(marker.to_owned(), 0));
        field.put("in/2026-x/a", "x");
        field.put("in/2026/a", "y");
        for (glob, count) in [("/*", 2), ("/*/*", 2), ("/", 1)] {
            let job = field.succeeds(&copy(glob));
            assert_eq!(job.count("total"), count, "{marker} {glob}");
            assert_eq!(field.tree("copy").len(), 2, "{marker} {glob}");
        }
    }
}

#[test]
fn a_foreign_key_hinders_only_those_that_select_it() {
    for key in ["in/bad//x", "in/bad/../x", "in/bad/tab\tx", "in/bad/x/"] {
        let field = Field::listing(Listing::WithKey(key.to_owned(), 1));
        field.put("in/a.txt", "x");
        field.put("in/d/b.txt", "y");
        assert_eq!(field.succeeds(&copy("/*.txt")).count("total"), 1, "{key:?}");
        assert_eq!(field.succeeds(&copy("/d")).count("total"), 1, "{key:?}");
        let job = field.succeeds(&copy_without("/", "/bad"));
        assert_eq!(job.counts(), "1: 1 processed", "{key:?}");
        let refused = field.run(&copy("/"));
        assert_ne!(refused.status.code(), Some(0), "{key:?}");
        let named = refused.transcript().contains("in/bad");
        assert!(
            named && refused.transcript().contains("rename or exclude"),
            "{}",
            refused.transcript()
        );
    }
}

#[test]
fn an_object_that_is_also_a_folder_fails_its_directory_by_name() {
    let field = Field::listing(Listing::WithKey("in/d/a/b".to_owned(), 1));
    field.put("in/d/a", "x");
    field.put("in/c", "y");
    assert_eq!(field.succeeds(&copy("/c")).count("total"), 1);
    let failed = field.run(&copy("/d")).code(1);
    assert!(
        failed
            .transcript()
            .contains("in/d/a is an object and also the folder of in/d/a/b"),
        "{}",
        failed.transcript()
    );
}

#[test]
fn uploads_are_aborted_when_another_file_of_the_output_fails() {
    let field = Field::new();
    field.put("in/large", vec![7; 40 * 1024 * 1024]);
    let slow = FaultKind::Delay(Duration::from_millis(200));
    field.s3.harm(Fault::on("PUT", ".0?partNumber", slow));
    field.s3.harm(Fault::on(
        "PUT",
        ".1?partNumber=1",
        FaultKind::Answer(403, "AccessDenied"),
    ));
    let spec = Spec::new("copy")
        .reads("in", "/*")
        .sh(r#"cp "$in" /pfs/out/one; cp "$in" /pfs/out/two"#);
    let mut running = field.start_run(&spec);
    eventually("both uploads were aborted", || {
        !field.s3.requests(&["DELETE", ".0?", "uploadId"]).is_empty() || running.has_ended()
    });
    field.s3.heal();
    running.finish().code(0);
    eventually("no part is left", || field.s3.parts().is_empty());
}
