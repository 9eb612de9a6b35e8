//! Messages about wrong specs.

use super::*;

/// All findings of a refused spec, as displayed.
fn told(file: &str, text: &str) -> String {
    parse(file, text).unwrap_err().to_string()
}

#[test]
fn an_item_with_a_wrong_value_is_told_once() {
    let rows = [
        r#""limits": [{"running": 0}]"#,
        r#""limits": [{"rate": "x"}]"#,
        r#""limits": [{"use": 7}]"#,
        r#""notify": [{"command": "x"}]"#,
        r#""notify": [{"webhook": 7}]"#,
    ];
    for row in rows {
        let spec = r#""pipeline": {"name": "p"}, "transform": {"cmd": ["a"]}, "input": {"pfs": {"repo": "r", "glob": "/"}}"#;
        let told = told("p.json", &format!("{{{spec}, {row}}}"));
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn all_findings_are_told_at_once() {
    let text = r#"{
  "pipeline": {"name": "-bad"},
  "transfrom": {"cmd": ["sh"]},
  "input": {"pfs": {"repo": "texts", "gob": "/*"}},
  "datumTimeout": 90,
  "spout": {},
  "cmd": "sh"
}"#;
    insta::assert_snapshot!(told("bad.json", text), @r##"
bad.json:2:24: pipeline.name: "-bad" is not a pipeline name (1 to 63 letters, digits, '-' or '_', the first one a letter or digit)
bad.json:3:3: transfrom: there is no such field (did you mean `transform`?)
bad.json:4:38: input.pfs.gob: there is no such field (did you mean `glob`?)
bad.json:5:19: datum_timeout: `90` is not a duration (add a unit, for example `90s` or `90m`)
bad.json:6:3: spout: is refused: a pipeline reads inputs and ends (delete it, write incoming data to a repo, and read that repo with `input`)
bad.json:7:3: cmd: there is no such field (move it: `cmd` belongs into `transform`)
"##);
}

#[test]
fn misplaced_fields_are_sent_home() {
    let text = "pipeline: word-count
image: alpine
transform:
  cmd: wc -w /pfs/in/*
input:
  repo: texts
  glob: /*
";
    insta::assert_snapshot!(told("pipelines.yaml", text), @r##"
pipelines.yaml:1:11: pipeline: expected an object, found `word-count` (write `name: …` below it)
pipelines.yaml:2:1: image: there is no such field (move it: `image` belongs into `transform`)
pipelines.yaml:4:8: transform.cmd: expected a list, found `wc -w /pfs/in/*` (one word an item; or let a shell read it: ["sh", "-c", "wc -w /pfs/in/*"])
pipelines.yaml:6:3: input.repo: there is no such field (move it: `repo` belongs into `input.pfs`)
pipelines.yaml:7:3: input.glob: there is no such field (move it: `glob` belongs into `input.pfs`)
"##);
}

#[test]
fn values_of_the_wrong_kind_are_explained() {
    let text = r#"{"pipeline": {"name": "p"},
 "transform": {"cmd": "true", "env": {"PORT": 8080}, "memory_volume": "yes", "accept_return_code": 1},
 "input": [{"pfs": {"repo": "a", "glob": "/*"}}],
 "parallelism_spec": 4, "datum_tries": "three", "datum_timeout": "5 minutes",
 "resource_limits": {"cpu": "500m", "memory": 64}}"#;
    insta::assert_snapshot!(told("p.json", text), @r##"
p.json:2:23: transform.cmd: expected a list, found the text "true" (write ["true"])
p.json:2:47: transform.env.PORT: expected a text, found `8080` (put it in quotes: "8080")
p.json:2:71: transform.memory_volume: expected true or false, found the text "yes" (write true or false without quotes)
p.json:2:100: transform.accept_return_code: expected a list, found `1` (write [1])
p.json:3:2: input: expected an object, found a list (for several inputs, list them under `cross`, `union`, `join` or `group`)
p.json:4:22: parallelism_spec: expected an object, found `4` (with some of: coefficient, constant)
p.json:4:40: datum_tries: expected a whole number, found the text "three" (write a whole number, or delete the line)
p.json:4:66: datum_timeout: the text "5 minutes" is not a duration (write a number and a unit, for example `90s`, `5m` or `1h30m`)
p.json:5:29: resource_limits.cpu: expected a number, found the text "500m" (write 0.5)
"##);
}

#[test]
fn inputs_are_explained() {
    let text = "pipeline: {name: p}
transform: {cmd: ['true']}
input:
  cross:
  - pfs: {repo: a, glob: '/[z'}
  - pfs: {repo: a, glob: /, branch: staging}
  - pfs: {repo: b, glob: /, s3: true}
  - union:
    - pfs: {repo: a, glob: /}
    - pfs: {repo: p, glob: /, joinon: $1}
";
    insta::assert_snapshot!(told("p.yaml", text), @r##"
p.yaml:5:26: input.cross[0].pfs.glob: "/[z" is not a glob, see its character 2 (this `[` is never closed; write `\[` for the character itself)
p.yaml:6:29: input.cross[1].pfs.branch: is refused: Drover keeps no versions of files, so there are no branches but `master` (delete it, or write `master`)
p.yaml:7:29: input.cross[2].pfs.s3: is refused: Drover runs no S3 gateway; read inputs below `/pfs` and write output to `/pfs/out` (delete it, or write `false`)
p.yaml:10:19: input.cross[3].union[1].pfs.repo: "p" is the output of this very pipeline (read another repo, or rename the pipeline)
p.yaml:10:31: input.cross[3].union[1].pfs.joinon: there is no such field (did you mean `join_on`?)
"##);
}

#[test]
fn names_that_meet_are_shown_where_they_meet() {
    let text = with_input("{cross: [{pfs: {repo: a, glob: /}}, {pfs: {repo: a, glob: '/*'}}]}");
    insta::assert_snapshot!(told("p.yaml", &text), @r##"
p.yaml:3:44: input.cross[1]: the name "a" is used more than once in this cross (both would be `/pfs/a`; give one of them another `name`)
"##);
}

#[test]
fn texts_that_are_no_documents_are_explained() {
    let rows = [
        ("p.json", ""),
        ("p.yaml", "# nothing\n"),
        ("p.json", "{\"pipeline\": {\"name\": \"p\",,}}"),
        ("a/p.jsonnet", "function(n) {pipeline: {name: n}}"),
        ("-", "local x = 1;\n{pipeline: {name: x}}"),
        ("p.json", "{\n  // the name\n  \"pipeline\": 1\n}"),
        ("p.json", "{\"pipeline\": {\"name\": \"p\"}"),
        ("p.json", "{pipeline: 1,, }"),
        ("p.json", "[]"),
        ("p.yaml", "pipeline:\n\tname: p\n"),
        ("p.yaml", "pipeline: {name: p\ntransform: 1\n"),
        ("p.yaml", "pipeline:\n  name: p\n transform: 1\n"),
        ("p.yaml", "input: {pfs: {glob: *.csv}}\n"),
        ("p.yaml", "name: {{ name }}\n"),
        ("p.yaml", "just some words\n"),
        ("p.yaml", "pipeline: !Ref x\n"),
        (
            "p.yaml",
            "apiVersion: drover.dev/v1alpha1\nkind: Pipeline\nspec: {}\n",
        ),
    ];
    let all: Vec<String> = rows.iter().map(|(file, text)| told(file, text)).collect();
    insta::assert_snapshot!(all.join("\n"), @r##"
p.json:1:1: there is no pipeline in this file (write at least `pipeline`, `transform` and `input`)
p.yaml:1:1: there is no pipeline in this file (write at least `pipeline`, `transform` and `input`)
p.json:1:27: not JSON: key must be a string (remove one of the commas)
a/p.jsonnet:1:1: this is a Jsonnet template, not a spec (render it first: `jsonnet p.jsonnet | drover validate -`)
-:1:1: this is a Jsonnet template, not a spec (render it first: `jsonnet FILE.jsonnet | drover validate -`)
p.json:2:3: not JSON: key must be a string (write comments with `#`, as in YAML)
p.json:1:26: not JSON: the file ends while parsing an object (remove the comma before it)
p.json:1:2: not JSON: key must be a string (put the key in double quotes)
p.json:1:1: there is no pipeline in this file (write at least `pipeline`, `transform` and `input`)
p.yaml:2:2: not YAML: tabs disallowed within this context (block indentation) (indent with spaces)
p.yaml:2:10: not YAML: while parsing a flow mapping, did not find expected ',' or '}'
p.yaml:3:2: not YAML: while parsing a block mapping, did not find expected key
p.yaml:1:21: not YAML: while parsing node, found unknown anchor (`*` begins an alias: put a glob that begins with it in quotes)
p.yaml:1:8: a list or an object cannot be a key (put templates like {{ name }} in quotes)
p.yaml:1:1: expected an object, found `just some words` (a spec has the fields `pipeline`, `transform` and `input`)
p.yaml:1:11: the tag !Ref means nothing here (remove it)
p.yaml:1:1: apiVersion: is refused: this looks like a Kubernetes resource (write only the pipeline spec, the object in the field `spec`)
p.yaml:1:1: pipeline.name: is missing (give the pipeline a name: `pipeline: {name: word-count}`)
p.yaml:1:1: transform: is missing (say what to run: `transform: {cmd: [sh], stdin: [...]}`)
p.yaml:1:1: input: is missing (say what to run over: `input: {pfs: {repo: texts, glob: "/*"}}`)
p.yaml:2:1: kind: is refused: this looks like a Kubernetes resource (write only the pipeline spec, the object in the field `spec`)
p.yaml:3:1: spec: is refused: this looks like a Kubernetes resource (write only the pipeline spec, the object in the field `spec`)
"##);
}
