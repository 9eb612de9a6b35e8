//! What a process says about itself: tracing to stderr.

mod flat;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::util::TryInitError;

use flat::Flat;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Format {
    /// A line for people.
    #[default]
    Text,
    /// An object a line, for machines.
    Json,
}

/// Starts to write events to stderr. `filter` is what the user asked for, for example `debug` or
/// `drover_worker=debug,warn`; parts of it that make no sense are left out.
pub fn start(filter: &str, format: Format) -> Result<(), TryInitError> {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;

    // lapin repeats messages and, in detail, passwords. What matters of it, the queue's room says.
    let fit_to_tell = filter_fn(|event| !event.target().starts_with("lapin"));
    let registry = tracing_subscriber::registry()
        .with(EnvFilter::new(filter))
        .with(fit_to_tell);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        Format::Text => {
            let layer = layer
                .with_ansi(std::io::stderr().is_terminal())
                .with_target(false);
            registry.with(layer).try_init()
        }
        Format::Json => {
            let layer = layer.fmt_fields(JsonFields::new()).event_format(Flat);
            registry.with(layer).try_init()
        }
    }
}
