//! Work that was done is not done again; work that changed is.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use drover_tests::{Spec, Workspace, files};

/// Notes each run in `runs`, then turns a file into capitals.
fn capitals() -> Spec {
    Spec::new("capitals").reads("in", "/*").sh(r#"
        name=$(basename "$in"); echo "$name" >> "$OUTSIDE/runs"
        tr a-z A-Z < "$in" > "/pfs/out/$name""#)
}

/// A store where `capitals` ran over `a` and `b`.
fn after_a_first_job() -> Workspace {
    let place = Workspace::new();
    place.file("in/a", "ant\n");
    place.file("in/b", "bee\n");
    assert_eq!(place.succeeds(&capitals()).counts(), "2: 2 processed");
    place
}

#[test]
fn unchanged_input_is_not_run_again() {
    let place = after_a_first_job();
    assert_eq!(place.succeeds(&capitals()).counts(), "2: 2 skipped");
    assert_eq!(place.told("runs"), 2);
    assert_eq!(
        place.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_touched_file_is_not_run_again() {
    let place = after_a_first_job();
    let file = File::options()
        .write(true)
        .open(place.path("in/a"))
        .unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_hours(24))
        .unwrap();
    assert_eq!(place.succeeds(&capitals()).counts(), "2: 2 skipped");
}

#[test]
fn a_rewritten_file_with_the_same_bytes_is_not_run_again() {
    let place = after_a_first_job();
    place.remove("in/a");
    place.file("in/a", "ant\n");
    assert_eq!(place.succeeds(&capitals()).counts(), "2: 2 skipped");
}

#[test]
fn only_a_changed_file_runs_again_and_its_output_is_replaced() {
    let place = after_a_first_job();
    place.file("in/a", "ape\n");
    assert_eq!(
        place.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(place.tally("runs")["b"], 1);
    assert_eq!(
        place.tree("capitals"),
        files([("a", "APE\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_file_replaced_by_one_of_the_same_size_and_time_is_seen() {
    let place = after_a_first_job();
    let before = place.path("in/a").metadata().unwrap().modified().unwrap();
    fs::rename(place.path("in/a"), place.outside("a")).unwrap();
    place.file("in/a", "ape\n");
    let file = File::options()
        .write(true)
        .open(place.path("in/a"))
        .unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(
        place.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(
        place.tree("capitals"),
        files([("a", "APE\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_new_file_runs_alone() {
    let place = after_a_first_job();
    place.file("in/c", "cat\n");
    assert_eq!(
        place.succeeds(&capitals()).counts(),
        "3: 1 processed, 2 skipped"
    );
    assert_eq!(place.tree("capitals").len(), 3);
}

#[test]
fn the_output_of_a_deleted_input_vanishes() {
    let place = after_a_first_job();
    place.remove("in/a");
    assert_eq!(place.succeeds(&capitals()).counts(), "1: 1 skipped");
    assert_eq!(place.tree("capitals"), files([("b", "BEE\n")]));
}

#[test]
fn an_input_that_comes_back_is_still_known() {
    let place = after_a_first_job();
    place.remove("in/a");
    place.succeeds(&capitals());
    place.file("in/a", "ant\n");
    assert_eq!(place.succeeds(&capitals()).counts(), "2: 2 skipped");
    assert_eq!(
        place.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_renamed_file_is_new_work() {
    let place = after_a_first_job();
    fs::rename(place.path("in/a"), place.path("in/z")).unwrap();
    assert_eq!(
        place.succeeds(&capitals()).counts(),
        "2: 1 processed, 1 skipped"
    );
    assert_eq!(
        place.tree("capitals"),
        files([("b", "BEE\n"), ("z", "ANT\n")])
    );
}

#[test]
fn a_change_below_a_directory_runs_that_directory_again() {
    let place = Workspace::new();
    place.file("in/one/deep/a", "1\n");
    place.file("in/two/deep/b", "2\n");
    let spec = Spec::new("copies").reads("in", "/*");
    place.succeeds(&spec);
    place.file("in/one/deep/c", "3\n");
    assert_eq!(place.succeeds(&spec).counts(), "2: 1 processed, 1 skipped");
    assert_eq!(
        place.tree("copies"),
        files([
            ("one/deep/a", "1\n"),
            ("one/deep/c", "3\n"),
            ("two/deep/b", "2\n")
        ])
    );
}

#[test]
fn a_changed_transform_runs_everything_again() {
    let changes = [
        ("transform.stdin", "true".into()),
        ("transform.cmd", vec!["sh", "-e"].into()),
        ("transform.env", serde_json::json!({ "LEVEL": "9" })),
        ("transform.accept_return_code", vec![7].into()),
        ("transform.working_dir", "/".into()),
    ];
    for (field, value) in changes {
        let place = after_a_first_job();
        let value = if field == "transform.stdin" {
            vec!["true"].into()
        } else {
            value
        };
        let job = place.succeeds(&capitals().set(field, value));
        assert_eq!(job.counts(), "2: 2 processed", "after a change of {field}");
    }
}

#[test]
fn a_change_that_cannot_change_the_output_runs_nothing() {
    let changes = [
        ("transform.err_cmd", serde_json::json!(["true"])),
        ("datum_tries", 5.into()),
        ("datum_timeout", "1h".into()),
        ("description", "other words".into()),
        ("parallelism_spec", serde_json::json!({ "constant": 1 })),
    ];
    let place = after_a_first_job();
    for (field, value) in changes {
        let job = place.succeeds(&capitals().set(field, value));
        assert_eq!(job.counts(), "2: 2 skipped", "after a change of {field}");
    }
}

#[test]
fn reprocess_runs_everything() {
    let place = after_a_first_job();
    let job = place
        .start_run(&capitals(), &["--reprocess"])
        .finish()
        .code(0)
        .job();
    assert_eq!(job.counts(), "2: 2 processed");
    assert_eq!(place.told("runs"), 4);
    let job = place.succeeds(&capitals().set("reprocess_spec", "every_job"));
    assert_eq!(job.counts(), "2: 2 processed");
    assert_eq!(
        place.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn a_failed_job_publishes_nothing_and_keeps_what_succeeded() {
    let place = Workspace::new();
    place.numbered_files("in", 6);
    place.file("in/bad", "x\n");
    let picky = Spec::new("picky")
        .reads("in", "/*")
        .sh(r#"echo "$in" >> "$OUTSIDE/runs"; grep -q '[0-9]' "$in" && cp "$in" /pfs/out/"#);
    let job = place.fails(&picky);
    assert_eq!(job.counts(), "7: 6 processed, 1 failed");
    assert!(
        place.tree("picky").is_empty(),
        "a failed job published {:?}",
        place.tree("picky")
    );

    place.file("in/bad", "7\n");
    assert_eq!(place.succeeds(&picky).counts(), "7: 1 processed, 6 skipped");
    assert_eq!(place.tree("picky").len(), 7);
    assert_eq!(place.told("runs"), 8);
}

#[test]
fn a_failed_job_leaves_the_last_good_output_alone() {
    let place = after_a_first_job();
    place.file("in/c", "cat\n");
    let failing = capitals().sh(r#"test "$(basename "$in")" != c && cp "$in" /pfs/out/"#);
    place.fails(&failing);
    assert_eq!(
        place.tree("capitals"),
        files([("a", "ANT\n"), ("b", "BEE\n")])
    );
}

#[test]
fn failed_and_recovered_datums_run_again() {
    let place = Workspace::new();
    place.file("in/a", "");
    let spec = Spec::new("forgiven")
        .reads("in", "/*")
        .sh("exit 1")
        .set("transform.err_cmd", vec!["true"]);
    assert_eq!(place.succeeds(&spec).counts(), "1: 1 recovered");
    assert_eq!(place.succeeds(&spec).counts(), "1: 1 recovered");
    let spec = spec.set("transform.err_cmd", vec!["false"]);
    assert_eq!(place.fails(&spec).counts(), "1: 1 failed");
    assert_eq!(place.fails(&spec).counts(), "1: 1 failed");
}

#[test]
fn another_pipeline_does_its_own_work() {
    let place = after_a_first_job();
    let other = capitals().set("pipeline.name", "other");
    assert_eq!(place.succeeds(&other).counts(), "2: 2 processed");
}

#[test]
fn deleted_and_altered_output_is_made_right_again() {
    let place = after_a_first_job();
    let good = place.tree("capitals");
    place.remove("capitals/a");
    place.remove("capitals/b");
    place.file("capitals/b", "scribble\n");
    place.succeeds(&capitals());
    assert_eq!(place.tree("capitals"), good);
}

#[test]
fn somebody_elses_file_in_the_output_folder_is_left_alone() {
    let place = after_a_first_job();
    place.file("capitals/notes", "mine\n");
    place.file("in/a", "ape\n");
    place.succeeds(&capitals());
    let expected = files([("a", "APE\n"), ("b", "BEE\n"), ("notes", "mine\n")]);
    assert_eq!(place.tree("capitals"), expected);
}
