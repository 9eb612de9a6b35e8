//! Properties of all texts.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), file in "(a|a.json|a.yaml)") {
        let _ = parse(&file, &text);
    }

    #[test]
    fn no_mixture_of_notations_makes_the_reader_panic(
        text in r#"([\[\]{}:,&*!|>'"%@`# \n\t-]|<<|---|\.\.\.|pipeline|name|input|cross|pfs|a|0|-1|1e9|true|null|\\u00){0,60}"#,
    ) {
        let _ = parse("a", &text);
    }

    #[test]
    fn a_damaged_spec_is_read_or_refused(cut in 0..LEAST.len(), byte in any::<char>()) {
        let mut text = LEAST.to_owned();
        if text.is_char_boundary(cut) {
            text.insert(cut, byte);
            let _ = parse("a", &text);
            text.truncate(cut);
            prop_assert!(parse("a", &text).is_err());
        }
    }

    #[test]
    fn a_normal_form_is_its_own_normal_form(
        tries in 0u32..100, seconds in 1u64..1_000_000, name in "[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}", cmd in "\\PC{1,20}",
    ) {
        let cmd = serde_json::to_string(&cmd).unwrap();
        let text = format!(r#"{{"pipeline": {{"name": "{name}"}}, "transform": {{"cmd": [{cmd}]}},
            "datumTries": "{tries}", "jobTimeout": "{seconds}s", "input": {{"pfs": {{"repo": "in.", "glob": "/"}}}}}}"#);
        let once = accepted(&text);
        let twice = accepted(&once.spec.to_string());
        prop_assert_eq!(once.spec, twice.spec);
        prop_assert_eq!(once.pipeline.job_timeout, Some(std::time::Duration::from_secs(seconds)));
    }
}
