//! The tokens of the HTTP API from the environment. They are no flags, because command lines are public on a machine.

use std::fmt;

/// Values of the variables.
#[derive(Clone, Default)]
pub struct ApiTokens {
    /// `DROVER_TOKEN`.
    pub full: Option<String>,
    /// `DROVER_READ_TOKEN`.
    pub read: Option<String>,
}

impl fmt::Debug for ApiTokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ApiTokens")
    }
}

/// Reads the tokens from the environment; an empty variable counts as unset.
pub fn api_tokens() -> ApiTokens {
    ApiTokens {
        full: variable("DROVER_TOKEN"),
        read: variable("DROVER_READ_TOKEN"),
    }
}

#[expect(clippy::disallowed_methods, reason = "clap would make a flag of it")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|token| !token.is_empty())
}
