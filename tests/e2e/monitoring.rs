//! Dashboard and alert rules ask for what is measured, and everything that is measured is documented.

use std::collections::BTreeSet;
use std::fs;

use drover_tests::repository;

/// Every metric that a text names, without what Prometheus adds to a histogram's name.
fn metrics(file: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(repository().join(file)).expect("the file is there");
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let words = text.split(|letter| !is_part(letter));
    words
        .filter(|word| word.starts_with("drover_") && word.len() > "drover_".len())
        .map(|word| word.trim_end_matches("_bucket").to_owned())
        .filter(|word| !["drover_worker", "drover_shared", "drover_tests"].contains(&word.as_str()))
        .collect()
}

#[test]
fn what_is_shown_and_alerted_on_is_documented_and_what_is_documented_is_measured() {
    let documented = metrics("docs/operations.md");
    let mut measured = metrics("worker/src/metrics.rs");
    measured.extend(metrics("publisher/core/src/leader/metrics.rs"));
    measured.extend(metrics("publisher/core/src/notifications/metrics.rs"));
    measured.extend(metrics("publisher/core/src/coordinator/track/trust.rs"));
    measured.extend(metrics("publisher/api/src/routing/metrics.rs"));
    assert_eq!(documented, measured);
    for file in [
        "deploy/monitoring/grafana.json",
        "deploy/monitoring/rules.yaml",
    ] {
        let unknown: Vec<_> = metrics(file).difference(&documented).cloned().collect();
        assert_eq!(unknown, [""; 0], "{file}");
    }
}

#[test]
fn the_dashboard_is_json_and_its_panels_lie_beside_each_other() {
    let text = fs::read(repository().join("deploy/monitoring/grafana.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let mut places = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let workspace = &panel["gridPos"];
        let number = |key: &str| workspace[key].as_u64().unwrap();
        for x in number("x")..number("x") + number("w") {
            for y in number("y")..number("y") + number("h") {
                assert!(x < 24 && places.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}
