//! How many requests a datum costs.

use drover_tests::Spec;
use serde_json::json;

use crate::field::Field;

#[test]
fn a_datum_of_a_set_costs_three_requests_and_its_commit_is_shared() {
    const DATUMS: usize = 200;
    let field = Field::new();
    for n in 0..DATUMS {
        field.put(&format!("in/{n:03}"), "x");
    }
    let spec = Spec::new("made").reads("in", "/*").sh("cp $in /pfs/out/");
    let spec = spec.set("datum_set_spec", json!({"number": 50}));
    let before = field.s3.requests(&[]).len();
    let job = field.succeeds(&spec);
    assert_eq!(job.count("processed"), DATUMS as u64);
    let requests = field.s3.requests(&[]).split_off(before);
    let count = |method: &str, part: &str| {
        let of_kind = |request: &&String| request.starts_with(method) && request.contains(part);
        requests.iter().filter(of_kind).count()
    };
    assert_eq!(count("GET", "/in/"), DATUMS, "each input once");
    assert_eq!(count("PUT", "/staged/"), DATUMS, "each output once");
    assert_eq!(count("PUT", "/cluster/made/"), DATUMS, "each copy once");
    let commits = count("PUT", "/commits/");
    assert!(commits <= DATUMS / 10, "{commits} commits");
    let heads = count("HEAD", "");
    assert!(heads <= 20, "{heads} looks, which listings answer");
    let all = requests.len();
    let of_the_job = 160;
    assert!(
        all <= DATUMS * 3 + of_the_job,
        "{all} requests: {requests:#?}"
    );
}
