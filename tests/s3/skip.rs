//! Work is done once, whatever the listings of a bucket tell.

use drover_tests::s3::Listing;
use drover_tests::{Spec, eventually, files};
use serde_json::json;

use crate::field::Field;

fn capitals() -> Spec {
    Spec::new("capitals").reads("in", "/*").sh(r#"
        name=$(basename "$in"); echo "$name" >> "$OUTSIDE/runs"
        tr a-z A-Z < "$in" > "/pfs/out/$name""#)
}

/// A bucket where `capitals` ran over `a` and `b`.
fn after_a_first_job(listing: Listing) -> Field {
    let field = Field::listing(listing);
    field.put("in/a", "ant\n");
    field.put("in/b", "bee\n");
    assert_eq!(field.succeeds(&capitals()).counts(), "2: 2 processed");
    field
}

/// Puts the same bytes again, later than before.
fn touch(field: &Field) {
    let file = field.s3.path("cluster/in/a");
    let modified = || {
        file.metadata()
            .and_then(|found| found.modified())
            .expect("it has a time")
    };
    let before = modified();
    eventually("time passed", || {
        field.put("in/a", "ant\n");
        modified() != before
    });
}

#[test]
fn unchanged_objects_are_skipped_and_changed_ones_run_again() {
    for listing in [Listing::WithoutTags, Listing::WithTags] {
        let field = after_a_first_job(listing);
        assert_eq!(field.succeeds(&capitals()).counts(), "2: 2 skipped");
        field.put("in/a", "ape\n");
        assert_eq!(
            field.succeeds(&capitals()).counts(),
            "2: 1 processed, 1 skipped"
        );
        assert_eq!(field.workspace.tally("runs")["b"], 1);
        assert_eq!(
            field.tree("capitals"),
            files([("a", "APE\n"), ("b", "BEE\n")])
        );
    }
}

#[test]
fn the_same_bytes_put_again_are_known_by_their_e_tag() {
    let field = after_a_first_job(Listing::WithTags);
    touch(&field);
    assert_eq!(field.succeeds(&capitals()).counts(), "2: 2 skipped");
}

#[test]
fn where_no_e_tag_is_listed_the_same_bytes_put_again_run_again() {
    let field = after_a_first_job(Listing::WithoutTags);
    touch(&field);
    assert_eq!(
        field.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(
        field.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn an_object_that_changes_between_listing_and_download_fails_its_datum() {
    for listing in [Listing::WithoutTags, Listing::WithTags] {
        let field = Field::listing(listing);
        field.put("in/a", "ant\n");
        field.put("in/b", "bee\n");
        let spec = capitals()
            .sh(r#"echo >> "$OUTSIDE/runs"; while [ ! -e "$OUTSIDE/gate" ]; do sleep 0.01; done"#);
        let spec = field.workspace.spec(&spec);
        let one_by_one = [
            "run",
            "--output",
            "json",
            "--workers",
            "1",
            "--look-ahead",
            "0",
            &spec,
        ];
        let running = field.workspace.start_command(field.command(&one_by_one));
        eventually("the first datum ran", || {
            field.workspace.line_count("runs") > 0
        });
        std::thread::sleep(std::time::Duration::from_millis(1100)); // times are told by the second
        field.put("in/b", "bug\n"); // of the same size
        field.workspace.open_gate("gate");
        let job = running.finish().code(1).job();
        assert_eq!(job.counts(), "2: 1 processed, 1 failed");
        assert!(
            job.reason()
                .contains("in/b changed since the job listed it"),
            "{}",
            job.reason()
        );
    }
}

#[test]
fn only_what_a_glob_can_reach_is_listed() {
    let field = Field::new();
    for key in ["in/2024/01/a", "in/2024/02/b", "in/2025/01/c"] {
        field.put(key, "x");
    }
    let spec = capitals().reads("in", "/2024/02/*");
    assert_eq!(field.succeeds(&spec).count("total"), 1);
    let listed = field.s3.requests(&["GET /cluster?", "prefix=in"]);
    assert!(
        !listed.is_empty() && listed.iter().all(|request| request.contains("2024%2F02")),
        "{listed:?}"
    );
}

#[test]
fn code_in_the_bucket_is_part_of_the_work() {
    for listing in [Listing::WithoutTags, Listing::WithTags] {
        let field = Field::listing(listing);
        field.put("in/a", "ant\n");
        field.put("code/lib/m.py", "1");
        field.put("model.bin", "1");
        field.put("code/notes.txt", "1");
        let code = json!(["code/**.py", "model.bin"]);
        let spec = capitals().set("code", code);
        assert_eq!(field.succeeds(&spec).counts(), "1: 1 processed");
        assert_eq!(field.succeeds(&spec).counts(), "1: 1 skipped");
        for changed in ["code/lib/m.py", "model.bin", "code/added.py"] {
            field.put(changed, "other bytes");
            assert_eq!(
                field.succeeds(&spec).counts(),
                "1: 1 processed",
                "{changed}"
            );
        }
        field.put("code/notes.txt", "other bytes");
        assert_eq!(field.succeeds(&spec).counts(), "1: 1 skipped");
        let missing = field.run(&capitals().set("code", json!("cod")));
        assert_eq!(missing.status.code(), Some(2));
        assert!(missing.transcript().contains("where no file is found"));
    }
}

#[test]
fn a_code_object_that_is_replaced_while_a_datum_runs_fails_the_datum_by_name() {
    for listing in [Listing::WithoutTags, Listing::WithTags] {
        let field = Field::listing(listing);
        field.put("in/a", "ant\n");
        field.put("code/m.py", "1");
        let spec = capitals().set("code", json!("code"));
        let waiting = spec.clone().sh(
            r#"echo >> "$OUTSIDE/runs"; until [ -e "$OUTSIDE/gate" ]; do sleep 0.01; done; cp "$in" /pfs/out/a"#,
        );
        let running = field.start_run(&waiting);
        eventually("the datum ran", || field.workspace.line_count("runs") > 0);
        field.put("code/m.py", "other bytes");
        field.workspace.open_gate("gate");
        let job = running.finish().code(1).job();
        let reason = job.reason();
        assert!(reason.contains("code file code/m.py"), "{reason}");
        assert_eq!(field.tree("capitals"), files([]));
        field.put("code/m.py", "1");
        let again = field.succeeds(&waiting);
        assert_eq!(again.counts(), "1: 1 processed", "nothing was remembered");
    }
}
