//! Parses the arguments of this process into a [`Cli`].

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use super::hints::{own_words, rewrite};
use super::{Cli, Format};

/// The parsed command line of this process, or clap's error (`--help` counts as one).
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let words = rewrite(std::env::args_os().collect());
    let matches = command.try_get_matches_from_mut(words)?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    cli.common.broker_is_typed = is_typed(&matches, "broker");
    Ok(cli)
}

/// True if a common option is on the command line, before or after the command.
fn is_typed(matches: &ArgMatches, name: &str) -> bool {
    let after = matches.subcommand().map(|(_, after)| after);
    std::iter::once(matches)
        .chain(after)
        .any(|matches| matches.value_source(name) == Some(ValueSource::CommandLine))
}

/// True if an invalid command line asked for JSON, so that the error can be JSON too.
pub fn wants_json() -> bool {
    let words = typed_words();
    let typed = own_words(&words);
    let by_flag = typed.windows(2).any(|pair| pair == ["--output", "json"]);
    // A command line without the flag, so that clap reads the variable.
    let by_variable = Cli::try_parse_from(["drover", "schema"])
        .is_ok_and(|cli| cli.common.output == Format::Json);
    by_flag || typed.iter().any(|word| word == "--output=json") || by_variable
}

/// The arguments of this process, as text.
pub fn typed_words() -> Vec<String> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    words.collect()
}

/// True if clap's "error" is a requested text.
pub fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    )
}
