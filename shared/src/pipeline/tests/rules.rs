//! Rules, as rows.

use std::time::Duration;

use super::*;
use crate::pipeline::{
    FailureLimit, Input, Parallelism, Reprocess, ResourceRequests, Retention, SetRule, Sharing,
};

/// Every row's spec is refused with exactly one error, with this path and this message.
fn check_refusals(rows: &[(String, &str, &str)]) {
    for (text, path, says) in rows {
        let errors = refused(text);
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 1, "{text}\n{told:#?}");
        assert_eq!(errors[0].path, *path, "{text}\n{told:#?}");
        assert!(
            told[0].contains(says),
            "{text}\n{told:#?}\ndoes not say {says:?}"
        );
        assert!(!errors[0].advice.is_empty(), "{told:#?} has no advice");
        assert!(
            errors[0].line > 0 && errors[0].column > 0,
            "{told:#?} has no place"
        );
    }
}

#[test]
fn names_that_would_meet_in_a_datum_are_refused() {
    let rows = [
        ("cross(in1,in1)", false),
        ("union(in1,in1)", true),
        ("union(cross(in1,in2),cross(in1,in2))", true),
        ("cross(union(in1,in2),union(in1,in2))", false),
        ("cross(union(in1,in1),union(in2,in2))", true),
        ("union(cross(in1,in1),cross(in2,in2))", false),
        ("join(a,a)", false),
        ("group(a,a)", false),
        ("join(a,group(b,c))", true),
        ("cross(a,union(b,group(c,a)))", false),
        ("in1", true),
    ];
    for (input, is_fine) in rows {
        let (json, rest) = tree(input);
        assert_eq!(rest, "", "{input}");
        let verdict = parse("spec", &with_input(&json));
        assert_eq!(verdict.is_ok(), is_fine, "{input}: {verdict:?}");
    }
}

/// Reads `operator(child,child)` or a name, giving JSON and the rest of the text.
fn tree(text: &str) -> (String, &str) {
    let end = text.find(['(', ')', ',']).unwrap_or(text.len());
    let (word, mut rest) = text.split_at(end);
    if !rest.starts_with('(') {
        return (
            format!(r#"{{"pfs": {{"name": "{word}", "repo": "r", "glob": "/"}}}}"#),
            rest,
        );
    }
    let mut children = Vec::new();
    while !rest.starts_with(')') {
        let (child, after) = tree(&rest[1..]);
        children.push(child);
        rest = after;
    }
    (
        format!(r#"{{"{word}": [{}]}}"#, children.join(", ")),
        &rest[1..],
    )
}

#[test]
fn inputs_that_contradict_themselves_are_refused() {
    let pfs = |fields: &str| with_input(&format!("{{pfs: {{repo: in, glob: '/*', {fields}}}}}"));
    check_refusals(&[
        (with_input("{}"), "input", "is empty"),
        (with_input("{cross: []}"), "input.cross", "combines nothing"),
        (
            with_input("{pfs: {repo: a, glob: /}, union: [{pfs: {repo: b, glob: /}}]}"),
            "input",
            "is pfs and union at once",
        ),
        (with_input("{union: [{}]}"), "input.union[0]", "is empty"),
        (
            with_input("{pfs: {glob: /}}"),
            "input.pfs.repo",
            "is missing",
        ),
        (
            with_input("{pfs: {repo: in}}"),
            "input.pfs.glob",
            "is missing",
        ),
        (
            with_input("{pfs: {repo: p, glob: /}}"),
            "input.pfs.repo",
            "output of this very pipeline",
        ),
        (
            with_input("{pfs: {repo: a/b, glob: /}}"),
            "input.pfs.repo",
            "put the rest of the path into `glob`",
        ),
        (
            with_input("{pfs: {repo: .drover, glob: /}}"),
            "input.pfs.repo",
            "its own records",
        ),
        (
            with_input("{pfs: {repo: .., glob: /}}"),
            "input.pfs.repo",
            "one folder of the store",
        ),
        (
            with_input("{pfs: {repo: out, glob: /}}"),
            "input.pfs.repo",
            "give a `name` beside it",
        ),
        (
            with_input("{pfs: {repo: in, glob: '/(a'}}"),
            "input.pfs.glob",
            "is not a glob",
        ),
        (
            pfs("name: out"),
            "input.pfs.name",
            "`/pfs/out` is where the output goes",
        ),
        (pfs("name: .env"), "input.pfs.name", "`/pfs/.env`"),
        (
            pfs("name: a/b"),
            "input.pfs.name",
            "one directory below `/pfs`",
        ),
        (pfs("name: a=b"), "input.pfs.name", "cannot hold `=`"),
        (pfs("name: PATH"), "input.pfs.name", "environment variable"),
        (
            pfs("name: DROVER_X"),
            "input.pfs.name",
            "environment variable",
        ),
        (
            pfs("lazy: true, empty_files: true"),
            "input.pfs.empty_files",
            "contradicts `lazy`",
        ),
        (
            pfs("exclude: [/a, '/(b']"),
            "input.pfs.exclude[1]",
            "is not a glob",
        ),
        (pfs("url: 'http://host/x'"), "input.pfs.url", "not a store"),
        (
            with_input("{pfs: {repo: in, glob: /, files_only: true}}"),
            "input.pfs.files_only",
            "contradicts the glob `/`",
        ),
        (
            with_input("{pfs: {url: 's3://', glob: /, name: n}}"),
            "input.pfs.url",
            "bucket",
        ),
        (
            with_input("{cron: {spec: '@daily'}}"),
            "input.cron.name",
            "is missing",
        ),
        (
            with_input("{cron: {name: tick}}"),
            "input.cron.spec",
            "is missing",
        ),
        (
            with_input("{cron: {name: tick, spec: '61 * * * *'}}"),
            "input.cron.spec",
            "is not a schedule",
        ),
        (
            with_input("{cron: {name: tick, spec: '* * * *'}}"),
            "input.cron.spec",
            "five fields",
        ),
        (
            with_input("{cron: {name: tick, spec: '@every 0s'}}"),
            "input.cron.spec",
            "without end",
        ),
        (
            with_input("{cron: {name: tick, spec: '@fortnightly'}}"),
            "input.cron.spec",
            "@weekly",
        ),
        (
            with_input("{cron: {name: tick, spec: '@daily', start: soon}}"),
            "input.cron.start",
            "is not a time",
        ),
    ]);
}

#[test]
fn commands_that_cannot_run_are_refused() {
    let missing_cmd =
        "pipeline: {name: p}\ntransform: {image: x}\ninput: {pfs: {repo: in, glob: /}}";
    check_refusals(&[
        (
            missing_cmd.to_owned(),
            "transform.cmd",
            "the entrypoint of an image is not used",
        ),
        (
            missing_cmd.replace("image: x", "cmd: []"),
            "transform.cmd",
            "is empty",
        ),
        (
            missing_cmd.replace("image: x", "cmd: ~, stdin: [ls]"),
            "transform.cmd",
            "is missing",
        ),
        (
            missing_cmd.replace("image: x", "cmd: ['']"),
            "transform.cmd[0]",
            "program is empty",
        ),
        (
            with_transform("err_cmd: ['']"),
            "transform.err_cmd[0]",
            "program is empty",
        ),
        (
            with_transform("image_pull_secrets: ['']"),
            "transform.image_pull_secrets[0]",
            "is empty",
        ),
        (
            with_input("{pfs: {repo: in, glob: '/*', exclude: /}}"),
            "input.pfs.exclude[0]",
            "leaves out everything",
        ),
        (
            with_transform("user: 'a:b:c'"),
            "transform.user",
            "is not a user",
        ),
        (
            with_transform("user: '1000:'"),
            "transform.user",
            "is not a user",
        ),
        (
            with_transform("user: '99999999999'"),
            "transform.user",
            "is not a user",
        ),
        (
            with_transform("datum_batching: true, placeholders: true"),
            "transform.placeholders",
            "started once for many datums",
        ),
        (
            with_transform("accept_return_code: [256]"),
            "transform.accept_return_code[0]",
            "from 0 to 255",
        ),
        (
            with_transform("accept_return_code: [-1]"),
            "transform.accept_return_code[0]",
            "from 0 to 255",
        ),
        (
            with_transform("accept_return_code: 3"),
            "transform.accept_return_code",
            "write [3]",
        ),
        (
            with_transform("env: {'A=B': x}"),
            "transform.env.A=B",
            "cannot name a variable",
        ),
        (
            with_transform(r#"env: {A: "x\0y"}"#),
            "transform.env.A",
            "NUL",
        ),
        (
            with_transform("secrets: [{mount_path: /s}]"),
            "transform.secrets[0].name",
            "is missing",
        ),
        (
            with_transform("secrets: [{name: s}]"),
            "transform.secrets[0]",
            "not put anywhere",
        ),
        (
            with_transform("secrets: [{name: s, env_var: A}]"),
            "transform.secrets[0].key",
            "is missing",
        ),
        (
            with_transform("secrets: [{name: s, mount_path: s}]"),
            "transform.secrets[0].mount_path",
            "absolute",
        ),
        (
            with_transform("secrets: [{name: s, mount_path: /pfs/x}]"),
            "transform.secrets[0].mount_path",
            "below `/pfs`",
        ),
    ]);
}

#[test]
fn receivers_of_events_are_checked() {
    let top = |yaml: &str| with_top(yaml);
    check_refusals(&[
        (
            top("notify: [{webhook: 'https://h', command: [x]}]"),
            "notify[0]",
            "name a receiver each",
        ),
        (
            top("notify: [{on: [failure]}]"),
            "notify[0].webhook",
            "command",
        ),
        (
            top("notify: [{webhook: 'ftp://h/'}]"),
            "notify[0].webhook",
            "neither http nor https",
        ),
        (
            top("notify: [{webhook: 'https://me:secret@h/'}]"),
            "notify[0].webhook",
            "holds credentials",
        ),
        (
            top("notify: [{webhook: 'https://h', signing_key: ../token}]"),
            "notify[0].signing_key",
            "name of a file",
        ),
        (
            top("notify: [{command: ['']}]"),
            "notify[0].command",
            "name of the program is empty",
        ),
        (
            top("notify: [{command: [x], timeout: 1h}]"),
            "notify[0].timeout",
            "at most 5m",
        ),
        (
            top("notify: [{command: [x], on: [succeed]}]"),
            "notify[0].on[0]",
            "success",
        ),
    ]);
}

#[test]
fn shares_and_limits_are_checked() {
    let top = |yaml: &str| with_top(yaml);
    check_refusals(&[
        (top("limits: [{}]"), "limits[0]", "running"),
        (
            top("limits: [{running: 1, rate: 5/s}]"),
            "limits[0]",
            "several limits",
        ),
        (top("limits: [{use: 'a b'}]"), "limits[0].use", "letters"),
        (top("share: 0"), "share", "from 1 to 100"),
        (top("share: 101"), "share", "from 1 to 100"),
        (top("priority: urgent"), "priority", "high"),
    ]);
}

#[test]
fn large_workers_and_stragglers_are_checked() {
    let top = |yaml: &str| with_top(yaml);
    check_refusals(&[
        (
            top("max_memory: 1Gi"),
            "max_memory",
            "resource_limits.memory",
        ),
        (
            top("resource_limits: {memory: 1Gi}\nmax_memory: 1200Mi"),
            "max_memory",
            "one and a half times",
        ),
        (
            top("stragglers: copy\nlimits: [{running: 5}]"),
            "stragglers",
            "contradicts `limits`",
        ),
        (top("stragglers: kill"), "stragglers", "wait, copy"),
    ]);
}

#[test]
fn contradictions_at_the_top_are_refused() {
    let top = |yaml: &str| with_top(yaml);
    check_refusals(&[
        (
            top("parallelism_spec: {constant: 2, coefficient: 1}"),
            "parallelism_spec",
            "contradict",
        ),
        (
            top("parallelism_spec: {coefficient: 1e6}"),
            "parallelism_spec.coefficient",
            "100000 or less",
        ),
        (
            top("tolerations: [{key: a}, ~]"),
            "tolerations[1]",
            "delete the item",
        ),
        (
            top("parallelism_spec: {constant: 100001}"),
            "parallelism_spec.constant",
            "from 0 to 100000",
        ),
        (top("max_datums: 0"), "max_datums", "1 or more"),
        (top("max_failures: -1"), "max_failures", "10"),
        (top("max_failures: 101%"), "max_failures", "100%"),
        (top("max_failures: ''"), "max_failures", "5%"),
        (top("code: ['']"), "code[0]", "name a file"),
        (top("code: [lib, 'a[']"), "code[1]", "never closed"),
        (top("retention: {jobs: 0}"), "retention.jobs", "1 or more"),
        (top("retention: {logs: 30}"), "retention.logs", "30s"),
        (
            top("parallelism_spec: {constant: -1}"),
            "parallelism_spec.constant",
            "from 0 to 100000",
        ),
        (
            top("parallelism_spec: {coefficient: -0.5}"),
            "parallelism_spec.coefficient",
            "0 or more",
        ),
        (
            top("parallelism_spec: {coefficient: nan}"),
            "parallelism_spec.coefficient",
            "expected a number",
        ),
        (top("datum_tries: -1"), "datum_tries", "0 or more"),
        (top("memory_tries: -1"), "memory_tries", "0 or more"),
        (top("datum_timeout: 0s"), "datum_timeout", "no time at all"),
        (top("datum_timeout: -5s"), "datum_timeout", "negative"),
        (top("job_timeout: 0h"), "job_timeout", "no time at all"),
        (top("job_timeout: 10"), "job_timeout", "`10s`"),
        (
            top("max_queue_size: 1001"),
            "max_queue_size",
            "from 0 to 1000",
        ),
        (
            top("reprocess_spec: never"),
            "reprocess_spec",
            "until_success, every_job",
        ),
        (
            top("datum_set_spec: {number: 1}\nchunk_spec: {number: 1}"),
            "chunk_spec",
            "older name",
        ),
        (
            top("datum_set_spec: {number: 1, per_worker: 1}"),
            "datum_set_spec",
            "contradicts",
        ),
        (
            top("standby: false\nstandby_after: 5m"),
            "standby_after",
            "contradicts",
        ),
        (top("egress: {}"), "egress.URL", "is missing"),
        (
            top("egress: {URL: 'ftp://x/y'}"),
            "egress.URL",
            "not a store",
        ),
        (
            top("egress: {URL: 's3://a', object_storage: {url: 's3://b'}}"),
            "egress",
            "keep one",
        ),
    ]);
}

#[test]
fn what_kubernetes_would_refuse_is_refused_early() {
    let top = |yaml: &str| with_top(yaml);
    check_refusals(&[
        (
            top("resource_limits: {memory: lots}"),
            "resource_limits.memory",
            "512Mi",
        ),
        (
            top("resource_limits: {gpu: {number: 1}}"),
            "resource_limits.gpu.type",
            "is missing",
        ),
        (
            top("resource_requests: {memory: 1Gi}\nresource_limits: {memory: 1000M}"),
            "resource_requests.memory",
            "more than",
        ),
        (
            top("tolerations: [{operator: Equal}]"),
            "tolerations[0].key",
            "operator: Exists",
        ),
        (
            top("tolerations: [{operator: Exists, value: x}]"),
            "tolerations[0].value",
            "contradicts",
        ),
        (
            top("tolerations: [{key: a, seconds: 5}]"),
            "tolerations[0].seconds",
            "NoExecute",
        ),
        (
            top("tolerations: [{key: a, effect: NoSchedul}]"),
            "tolerations[0].effect",
            "did you mean `NoSchedule`?",
        ),
        (
            top("metadata: {labels: {a: 'b c'}}"),
            "metadata.labels.a",
            "label",
        ),
        (
            top("metadata: {annotations: {'a b': c}}"),
            "metadata.annotations.a b",
            "key",
        ),
        (top("pod_spec: '[]'"), "pod_spec", "wrong shape"),
        (
            top("pod_patch: '[{\"op\": \"ad\", \"path\": \"/\"}]'"),
            "pod_patch",
            "wrong shape",
        ),
        (top("pod_patch: nonsense"), "pod_patch", "is not JSON"),
    ]);
}

#[test]
fn defaults_are_filled_in() {
    let pipeline = accepted(LEAST).pipeline;
    assert_eq!(pipeline.parallelism, Parallelism::Coefficient(1.0));
    assert_eq!(pipeline.datum_tries.get(), 3);
    assert_eq!(pipeline.memory_tries.get(), 3);
    assert_eq!(pipeline.requests, ResourceRequests::default());
    assert_eq!((pipeline.datum_timeout, pipeline.job_timeout), (None, None));
    assert_eq!(pipeline.reprocess, Reprocess::UntilSuccess);
    assert_eq!(pipeline.look_ahead, 2);
    assert_eq!(pipeline.datum_set, SetRule::Automatic);
    assert_eq!(pipeline.standby_after, None);
    assert_eq!(pipeline.max_failures, None);
    assert_eq!(pipeline.sharing, Sharing::default());
    assert_eq!(pipeline.max_datums, 10_000_000);
    assert_eq!(pipeline.code, Vec::<String>::new());
    assert_eq!(pipeline.retention, Retention::default());
    let Input::Pfs(leaf) = &pipeline.input else {
        panic!("{:?}", pipeline.input)
    };
    assert_eq!((leaf.name.as_str(), leaf.leaf), ("in", 0));
}

#[test]
fn zero_means_not_given_as_in_the_reference() {
    let pipeline = accepted(&with_top(
        "parallelism_spec: {constant: 0, coefficient: 0}\ndatum_tries: 0\ndatum_set_spec: {number: 0}",
    ))
    .pipeline;
    assert_eq!(pipeline.parallelism, Parallelism::Coefficient(1.0));
    assert_eq!((pipeline.datum_tries.get(), pipeline.look_ahead), (3, 2));
    assert_eq!(pipeline.datum_set, SetRule::Automatic);
    let nothing_ahead = accepted(&with_top("max_queue_size: 0")).pipeline;
    assert_eq!(
        nothing_ahead.look_ahead, 0,
        "the reference then has one datum in hand"
    );
}

#[test]
fn values_mean_what_they_say() {
    let meaning = |yaml: &str| accepted(&with_top(yaml)).pipeline;
    assert_eq!(
        meaning("max_failures: 0").max_failures,
        Some(FailureLimit::Datums(0))
    );
    assert_eq!(
        meaning("max_failures: 2.5%").max_failures,
        Some(FailureLimit::Percent(2.5))
    );
    assert_eq!(meaning("code: lib").code, ["lib"]);
    assert_eq!(
        meaning("retention: {logs: 2d}").retention,
        Retention {
            logs: Some(Duration::from_hours(48)),
            ..Retention::default()
        }
    );
    assert_eq!(
        meaning("standby: true").standby_after,
        Some(Duration::from_mins(1))
    );
    assert_eq!(
        meaning("standby_after: 0s").standby_after,
        Some(Duration::ZERO)
    );
    assert_eq!(
        meaning("datum_timeout: 1h30m").datum_timeout,
        Some(Duration::from_mins(90))
    );
    assert_eq!(
        meaning("datum_timeout: 1.5s").datum_timeout,
        Some(Duration::from_millis(1500))
    );
    assert_eq!(
        meaning("chunk_spec: {size_bytes: '9000000000'}").datum_set,
        SetRule::SizeBytes(9_000_000_000)
    );
    assert_eq!(
        meaning("datum_set_spec: {per_worker: 4}").datum_set,
        SetRule::PerWorker(4.try_into().unwrap())
    );
    assert_eq!(
        meaning("egress: {object_storage: {url: 'gs://b/x'}}")
            .egress
            .as_deref(),
        Some("gs://b/x")
    );
    assert_eq!(
        meaning("egress: {url: 's3://b'}").egress.as_deref(),
        Some("s3://b")
    );
}

#[test]
fn a_url_stands_in_for_repo_and_name() {
    let rows = [
        ("{url: 's3://bucket/some/raw/', glob: /}", "raw", "raw"),
        ("{url: 's3://bucket', glob: /}", "bucket", "bucket"),
        ("{url: /data/raw, glob: /, name: n}", "n", "n"),
        ("{url: /data/raw, glob: /, repo: r}", "r", "r"),
        ("{url: /data/raw, glob: /, repo: p}", "p", "p"),
        ("{url: /data/raw, glob: /, repo: r, name: n}", "n", "r"),
    ];
    for (pfs, name, repo) in rows {
        let parsed = accepted(&with_input(&format!("{{pfs: {pfs}}}")));
        let leaf = parsed.pipeline.input.leaves()[0].clone();
        assert_eq!(
            (leaf.name.as_str(), leaf.repo.as_str()),
            (name, repo),
            "{pfs}"
        );
    }
}

#[test]
fn keys_without_their_operator_are_noted() {
    let key = "{pfs: {repo: in, glob: '/(*)', join_on: $1, group_by: $1}}";
    let rows = [
        (
            key.to_owned(),
            vec!["input.pfs.group_by", "input.pfs.join_on"],
        ),
        (
            format!("{{join: [{key}]}}"),
            vec!["input.join[0].pfs.group_by"],
        ),
        (
            format!("{{group: [{key}]}}"),
            vec!["input.group[0].pfs.join_on"],
        ),
        (format!("{{group: [{{join: [{key}]}}]}}"), vec![]),
    ];
    for (input, noted) in rows {
        let notes = accepted(&with_input(&input)).notes;
        let mut paths: Vec<&str> = notes.iter().map(|note| note.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, noted, "{input}");
    }
}

#[test]
fn credentials_in_a_url_are_not_repeated() {
    for url in ["s3://key:hunter2@bucket/x", "s3://bucket/x?secret=hunter2"] {
        for text in [
            with_input(&format!("{{pfs: {{url: '{url}', glob: /, name: n}}}}")),
            with_top(&format!("egress: {{URL: '{url}'}}")),
        ] {
            let told = format!("{:?}", refused(&text));
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
