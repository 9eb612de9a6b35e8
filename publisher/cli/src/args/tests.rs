//! Tests of the command line.

use clap::{CommandFactory, Parser};

use super::*;

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

/// The help at 100 columns, without what the environment says.
fn help(command: &mut clap::Command) -> String {
    command.render_long_help().to_string()
}

#[test]
fn the_help_of_every_command() {
    let mut cli = Cli::command()
        .term_width(100)
        .mut_args(|argument| argument.hide_env_values(true));
    cli.build();
    insta::assert_snapshot!("drover", help(&mut cli));
    for command in cli.get_subcommands_mut() {
        insta::assert_snapshot!(command.get_name().to_owned(), help(command));
    }
}

fn refusal(line: &str) -> String {
    Cli::try_parse_from(line.split(' '))
        .unwrap_err()
        .to_string()
}

#[test]
fn what_makes_no_sense_is_refused() {
    let rows = [
        ("drover run", "required"),
        ("drover run --glob a:/* -- x", "--out"),
        ("drover run --out o -- x", "--glob"),
        ("drover run spec.yaml -- x", "--glob"),
        (
            "drover run spec.yaml --glob a:/* --out o -- x",
            "cannot be used with",
        ),
        ("drover run --workers 0 spec.yaml", "--workers"),
        ("drover run --grace 5 spec.yaml", "25s"),
        ("drover run --input photos spec.yaml", "REPO=DIR"),
        (
            "drover plan --timeout 0s --glob a:/* --out o -- x",
            "more than zero",
        ),
        ("drover datums last --state done", "--state"),
        ("drover logs last --datum /", "index"),
        ("drover jobs --pipeline a/b", "a/b"),
        ("drover --output xml jobs", "--output"),
        ("drover stop", "required"),
        ("drover publish", "required"),
        ("drover serve --connect-timeout 0s", "more than zero"),
        ("drover serve --http 7600", "127.0.0.1:7600"),
        ("drover serve --token secret", "--token"),
    ];
    for (line, word) in rows {
        let text = refusal(line);
        assert!(text.contains(word), "{line}: {text}");
    }
}
