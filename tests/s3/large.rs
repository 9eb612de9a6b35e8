//! Large files go in parts, and come back byte by byte.

use std::fs;

use drover_tests::Spec;
use drover_tests::s3::{Fault, FaultKind};

use crate::field::Field;

/// More than three parts, and not a whole number of them.
const LARGE: usize = 40 * 1024 * 1024 + 7;

fn bytes() -> Vec<u8> {
    (0..=250).cycle().take(LARGE).collect()
}

fn copy() -> Spec {
    Spec::new("copy").reads("in", "/*")
}

#[test]
fn a_large_file_goes_up_in_parts_and_comes_down_whole() {
    let field = Field::new();
    field.put("in/large", bytes());
    field.succeeds(&copy());
    assert!(
        fs::read(field.s3.path("cluster/copy/large")).unwrap() == bytes(),
        "it was changed"
    );
    assert!(field.s3.requests(&["PUT", "partNumber="]).len() >= 5);
    assert_eq!(field.s3.parts(), [""; 0]);
}

#[test]
fn large_pieces_of_one_file_are_put_together() {
    let field = Field::new();
    field.put("in/a", bytes());
    field.put("in/b", bytes());
    field.succeeds(&copy().sh("cat $in > /pfs/out/both"));
    assert!(fs::read(field.s3.path("cluster/copy/both")).unwrap() == [bytes(), bytes()].concat());
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_did() {
    let field = Field::new();
    field.put("in/large", bytes());
    for after in [0, 1_000_000, 20_000_000] {
        field
            .s3
            .harm(Fault::on("GET", "/cluster/in/large", FaultKind::Cut(after)).times(1));
    }
    field.succeeds(&copy());
    assert!(
        fs::read(field.s3.path("cluster/copy/large")).unwrap() == bytes(),
        "it was changed"
    );
    assert_eq!(field.s3.requests(&["GET /cluster/in/large"]).len(), 4);
}

#[test]
fn parts_that_fail_or_are_damaged_are_sent_again() {
    let field = Field::new();
    field.put("in/large", bytes());
    field.s3.harm(
        Fault::on(
            "PUT",
            "partNumber=2",
            FaultKind::Answer(500, "InternalError"),
        )
        .times(2),
    );
    field
        .s3
        .harm(Fault::on("PUT", "partNumber=3", FaultKind::Close).times(1));
    field
        .s3
        .harm(Fault::on("POST", "uploads", FaultKind::Close).times(1));
    field
        .s3
        .harm(Fault::on("POST", "uploadId", FaultKind::Answer(503, "SlowDown")).times(1));
    field.succeeds(&copy());
    assert!(
        fs::read(field.s3.path("cluster/copy/large")).unwrap() == bytes(),
        "it was changed"
    );
    assert_eq!(field.s3.parts(), [""; 0]);
}

#[test]
fn a_completion_whose_answer_is_lost_is_noticed() {
    let field = Field::new();
    field.put("in/large", bytes());
    field
        .s3
        .harm(Fault::on("POST", "uploadId", FaultKind::LoseAnswer).times(1));
    field.succeeds(&copy());
    let begun = field.s3.requests(&["POST", "?uploads"]);
    assert_eq!(begun.len(), 1, "it was uploaded again");
    assert!(
        fs::read(field.s3.path("cluster/copy/large")).unwrap() == bytes(),
        "it was changed"
    );
}

#[test]
fn parts_of_an_upload_that_cannot_be_completed_are_taken_back() {
    let field = Field::new();
    field.put("in/large", bytes());
    field.s3.harm(Fault::on(
        "PUT",
        "partNumber=4",
        FaultKind::Answer(403, "AccessDenied"),
    ));
    let mut running = field.start_run(&copy());
    drover_tests::eventually("the upload was taken back", || {
        !field.s3.requests(&["DELETE", "uploadId"]).is_empty() || running.has_ended()
    });
    field.s3.heal();
    running.finish().code(0);
    assert_eq!(field.s3.parts(), [""; 0]);
    assert!(
        fs::read(field.s3.path("cluster/copy/large")).unwrap() == bytes(),
        "it was changed"
    );
}
