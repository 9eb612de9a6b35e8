//! Names of objects come and go as they are; what could be written outside a datum's directory does not come at all.

use std::collections::BTreeSet;
use std::path::Path;

use drover_tests::s3::Listing;
use drover_tests::{Spec, Tree};

use crate::field::Field;

/// Names that some tool or other has trouble with. (A line feed is an object's `%0A`.)
const ODD: [&str; 12] = [
    "100%",
    "100%25",
    "two words",
    "#hash?query&x=1",
    "back\\slash",
    "ümläut-日本語-🐑",
    "plus+equals=",
    "[list]{brace}*star",
    "quote'\"",
    ".hidden",
    "...",
    "-dash",
];

#[test]
fn every_name_arrives_and_is_published_as_it_is() {
    let field = Field::new();
    for name in ODD {
        field.put(&format!("in/{name}/{name}"), name);
    }
    field.put("in/line%0Afeed/tab%09", "control");
    let spec = Spec::new("copy").reads("in", "/*/*").sh(r#"
        mkdir -p "/pfs/out/$(basename "$(dirname "$in")")"; cp "$in" "/pfs/out/$(basename "$(dirname "$in")")/"
        printf '%s' "$in" | wc -l >> "$OUTSIDE/line-feeds""#);
    let job = field.succeeds(&spec);
    assert_eq!(job.count("processed"), ODD.len() as u64 + 1);
    assert_eq!(field.tree("copy"), field.tree("in"));
    assert_eq!(
        field.workspace.tally("line-feeds")["1"],
        1,
        "one name had a line feed"
    );
    assert_eq!(field.succeeds(&spec).count("skipped"), ODD.len() as u64 + 1);
    let paths: BTreeSet<String> = inputs(&field);
    assert!(
        paths.contains("/line\nfeed/tab\t") && paths.contains("/100%25/100%25"),
        "{paths:?}"
    );
}

/// The paths of all inputs of the last job.
fn inputs(field: &Field) -> BTreeSet<String> {
    let datums = field
        .call(&["datums", "last", "--output", "json"])
        .code(0)
        .lines();
    let path = |datum: &serde_json::Value| {
        datum["inputs"][0]["path"]
            .as_str()
            .expect("an input has a path")
            .to_owned()
    };
    datums.iter().map(path).collect()
}

#[test]
fn a_key_that_could_leave_the_datum_is_refused_by_name() {
    for key in ["in/../../escaped", "in//escaped", "in/./escaped"] {
        let field = Field::listing(Listing::WithKey(key.to_owned(), 1));
        field.put("in/a", "x");
        for glob in ["/*", "/"] {
            let before = everything(&field);
            let outcome = field.run(&Spec::new("copy").reads("in", glob));
            assert_ne!(
                outcome.status.code(),
                Some(0),
                "{key}: {}",
                outcome.transcript()
            );
            assert!(
                outcome.transcript().contains(key),
                "{key}: {}",
                outcome.transcript()
            );
            assert_eq!(everything(&field), before, "{key}: something was written");
        }
    }
}

/// The surroundings of the datums: the directory of the test, the output, and the folder of the system for temporary
/// files.
fn everything(field: &Field) -> (Tree, Tree, bool) {
    let outside = Tree::read(&field.workspace.outside(""));
    let escaped = Path::new("/pfs/escaped").exists() || Path::new("/tmp/escaped").exists();
    (outside, field.tree("copy"), escaped)
}
