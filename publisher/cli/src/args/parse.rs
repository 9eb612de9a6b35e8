//! From the words of this process to a [`Cli`].

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};

use super::{Cli, Format};

/// The command line of this process, or the error that clap makes of it (`--help` is one).
pub fn parse() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let mut cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    cli.common.broker_is_typed = is_typed(&matches, "broker");
    Ok(cli)
}

/// Whether a common option stands on the command line, before the command or after it.
fn is_typed(matches: &ArgMatches, name: &str) -> bool {
    let after = matches.subcommand().map(|(_, after)| after);
    std::iter::once(matches)
        .chain(after)
        .any(|matches| matches.value_source(name) == Some(ValueSource::CommandLine))
}

/// Whether a command line that could not be parsed asked for JSON, so that its error can be JSON too.
pub fn wanted_json() -> bool {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let typed: Vec<String> = words.take_while(|word| word != "--").collect();
    let by_flag = typed.windows(2).any(|pair| pair == ["--output", "json"]);
    // A command line without the flag, so that clap tells what the environment says.
    let by_variable = Cli::try_parse_from(["drover", "schema"])
        .is_ok_and(|cli| cli.common.output == Format::Json);
    by_flag || typed.iter().any(|word| word == "--output=json") || by_variable
}

/// Whether clap's "error" is the text that was asked for.
pub fn is_help(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    )
}
