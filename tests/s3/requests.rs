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

#[test]
fn what_a_cross_shows_to_many_datums_is_downloaded_once() {
    const SAMPLES: usize = 40;
    let field = Field::new();
    for n in 0..SAMPLES {
        field.put(&format!("samples/{n:03}"), "x");
    }
    field.put("model/weights", vec![7; 3 << 20]);
    field.put("reference/a", vec![7; 1 << 20]);
    field.put("reference/b/c", vec![7; 1 << 20]);
    let input = |repo: &str, glob: &str| json!({"pfs": {"repo": repo, "glob": glob}});
    let cross = [
        input("samples", "/*"),
        input("model", "/*"),
        input("reference", "/"),
    ];
    let spec = Spec::new("made").set("input", json!({"cross": cross}));
    let spec =
        spec.sh("cat $model $reference/a $reference/b/c | wc -c > /pfs/out/$(basename $samples)");
    let job = field.succeeds(&spec);
    assert_eq!(job.count("processed"), SAMPLES as u64);
    let expected = (0..SAMPLES).map(|n| (format!("{n:03}"), "5242880\n".to_owned()));
    let differences = field.tree("made").differences(&expected.collect());
    assert!(differences.is_empty(), "{differences:?}");
    let requests = field.s3.requests(&[]);
    for shared in ["/model/weights", "/reference/a", "/reference/b/c"] {
        let downloads = requests
            .iter()
            .filter(|request| request.starts_with("GET") && request.ends_with(shared));
        assert_eq!(downloads.count(), 1, "{shared}");
    }
}
