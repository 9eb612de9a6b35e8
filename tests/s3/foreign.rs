//! A foreign S3 server, which keeps keys that ours cannot have.

use drover_tests::s3::Moto;
use drover_tests::{Outcome, Spec, Workspace};
use serde_json::json;

/// Longest key of S3 in bytes.
const MOST_KEY_BYTES: usize = 1024;

/// A foreign server, and `drover` at work on a bucket of it.
struct Foreign {
    moto: Moto,
    workspace: Workspace,
}

impl Foreign {
    /// None where the server cannot be had.
    fn start() -> Option<Self> {
        let workspace = Workspace::new();
        let moto = Moto::start(&workspace.outside(""))?;
        Some(Self { moto, workspace })
    }

    /// Runs a spec on a bucket.
    fn run(&self, bucket: &str, spec: &Spec) -> Outcome {
        let spec = self.workspace.spec(spec);
        let mut command = self.workspace.command(&["run", "--output", "json", &spec]);
        command.envs(self.moto.environment());
        command.env("DROVER_STORE", format!("s3://{bucket}"));
        self.workspace.start_command(command).finish()
    }
}

/// Copies the objects below `in`; the names of input and output have the same length.
fn copy(glob: &str) -> Spec {
    Spec::new("cp")
        .reads("in", glob)
        .sh("cp -r /pfs/in/. /pfs/out/")
}

#[test]
fn every_key_that_can_be_a_path_is_copied_and_no_other_key_hinders_it() {
    let Some(foreign) = Foreign::start() else {
        return;
    };
    foreign.moto.bucket("zoo");
    let mut longest = "in".to_owned();
    while longest.len() < MOST_KEY_BYTES {
        let length = (MOST_KEY_BYTES - longest.len() - 1).min(200);
        longest.push('/');
        longest.extend(std::iter::repeat_n('d', length));
    }
    let keys = [
        "in/a",
        "in/a-b",
        "in/deep/er/f",
        "in/e\u{301}",
        "in/\u{e9}",
        "in/ sp ",
        "in/ ",
        "in/%41",
        "in/%",
        "in/a+b",
        "in/x&y<z>\"'",
        "in/back\\slash",
        "in/\u{2028}",
        "in/...",
        "in/-",
        &longest,
    ];
    for key in keys {
        foreign.moto.put("zoo", key, key.as_bytes());
    }
    foreign.moto.put("zoo", "in/2026/", b"");
    foreign.moto.put("zoo", "/leading", b"x");
    let files = copy("/**").set("input.pfs.files_only", json!(true));
    let job = foreign.run("zoo", &files).code(0).job();
    assert_eq!(job.count("processed"), keys.len() as u64);
    for key in keys {
        let copied = foreign.moto.get("zoo", &key.replacen("in", "cp", 1));
        assert_eq!(String::from_utf8_lossy(&copied), key);
    }
    let job = foreign.run("zoo", &files).code(0).job();
    assert_eq!(job.count("skipped"), keys.len() as u64);
}

#[test]
fn every_key_that_can_be_no_path_is_refused_by_name_where_it_is_selected() {
    let Some(foreign) = Foreign::start() else {
        return;
    };
    let long = format!("in/{}", "y".repeat(256));
    let keys = [
        "in/a//b",
        "in/a/../b",
        "in/a/.",
        "in/./b",
        "in/..",
        "in/a/b/",
        "in/tab\t",
        "in/\u{1}",
        "in/\u{7f}",
        &long,
    ];
    for (number, key) in keys.into_iter().enumerate() {
        let bucket = format!("bucket-{number}");
        foreign.moto.bucket(&bucket);
        foreign.moto.put(&bucket, "in/ok", b"x");
        foreign.moto.put(&bucket, key, b"x");
        let job = foreign.run(&bucket, &copy("/ok")).code(0).job();
        assert_eq!(job.counts(), "1: 1 processed", "{key:?}");
        let refused = foreign.run(&bucket, &copy("/")).code(1).transcript();
        let way_out = "rename or exclude the object";
        let beginning = key
            .split(|each: char| each.is_control())
            .next()
            .unwrap_or(key);
        assert!(
            refused.contains(beginning) && refused.contains(way_out),
            "{key:?}: {refused}"
        );
    }
}

#[test]
fn an_object_and_a_folder_of_one_name_are_datums_or_refused_by_name() {
    let Some(foreign) = Foreign::start() else {
        return;
    };
    foreign.moto.bucket("both");
    foreign.moto.put("both", "in/both", b"x");
    foreign.moto.put("both", "in/both/x", b"y");
    for glob in ["/*", "/**", "/"] {
        let refused = foreign.run("both", &copy(glob)).code(1).transcript();
        assert!(refused.contains("/both/x"), "{glob}: {refused}");
    }
    foreign.run("both", &copy("/both/x")).code(0);
}

#[test]
fn an_empty_prefix_a_folder_marker_and_the_last_object_removed_are_empty_inputs() {
    let Some(foreign) = Foreign::start() else {
        return;
    };
    foreign.moto.bucket("empty");
    let total = |glob: &str| {
        let job = foreign.run("empty", &copy(glob)).code(0).job();
        job.count("total")
    };
    assert_eq!((total("/*"), total("/")), (0, 1));
    foreign.moto.put("empty", "in/2026/", b"");
    assert_eq!((total("/*"), total("/")), (0, 1));
    foreign.moto.put("empty", "in/a", b"x");
    assert_eq!((total("/*"), total("/")), (1, 1));
    foreign.moto.remove("empty", "in/a");
    assert_eq!((total("/*"), total("/")), (0, 1));
}

#[test]
fn large_outputs_come_in_parts_and_no_upload_stays_open() {
    let Some(foreign) = Foreign::start() else {
        return;
    };
    foreign.moto.bucket("parts");
    foreign.moto.put("parts", "in/a", b"x");
    let large = "head -c 20000000 /dev/zero > /pfs/out/large";
    let spec = Spec::new("cp").reads("in", "/*");
    let job = foreign.run("parts", &spec.sh(large)).code(0).job();
    assert_eq!(job.counts(), "1: 1 processed");
    assert_eq!(foreign.moto.get("parts", "cp/large").len(), 20_000_000);
    assert_eq!(foreign.moto.open_uploads("parts"), 0);
    // A sibling that the store refuses ends the upload of the other file.
    let name = "n".repeat(200);
    let refused = format!(
        "{large}; cd /pfs/out; for i in 1 2 3 4 5 6; do mkdir {name} && cd {name}; done; echo x > {name}"
    );
    let spec = Spec::new("cp").reads("in", "/*");
    foreign.run("parts", &spec.sh(&refused)).code(1);
    assert_eq!(foreign.moto.open_uploads("parts"), 0);
}
