//! A bucket stays small, too.

use drover_tests::Spec;
use serde_json::json;

use crate::field::Field;

fn copies(jobs: u32) -> Spec {
    Spec::new("copies")
        .reads("in", "/*")
        .set("retention", json!({ "jobs": jobs }))
}

fn jobs(field: &Field) -> usize {
    field
        .call(&["jobs", "--output", "json"])
        .code(0)
        .lines()
        .len()
}

#[test]
fn gc_in_a_bucket_keeps_what_is_used_and_all_work_is_still_skipped() {
    let field = Field::new();
    for n in 0..6 {
        field.put(&format!("in/{n}"), format!("{n}\n"));
        field.put("in/changing", format!("version {n}\n"));
        field.succeeds(&copies(100));
    }
    let before = field.tree("copies");
    assert_eq!(field.succeeds(&copies(2)).counts(), "7: 7 skipped");
    assert_eq!(jobs(&field), 2, "the end of a run removes what is old");
    let done = field.call(&["gc", "--output", "json"]).code(0).lines();
    assert_eq!(
        done[0]["files"],
        json!(0),
        "the run left something: {done:?}"
    );
    assert_eq!(field.tree("copies"), before);
    let verified = field.call(&["verify", "--output", "json"]).code(0).lines();
    assert_eq!(verified[0]["datums"], json!(7));
    assert_eq!(field.succeeds(&copies(2)).counts(), "7: 7 skipped");
    let used = field.call(&["du", "--output", "json"]).code(0).lines();
    let expired = used.iter().filter(|used| used["expired"] == json!(true));
    assert_eq!(expired.count(), 6, "each of them did one of the files");
}
