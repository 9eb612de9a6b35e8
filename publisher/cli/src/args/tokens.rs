//! The tokens of the HTTP API, from the environment. They are no flags: everybody on a machine can see these.

use std::fmt;

/// What the environment holds, as it stands there.
#[derive(Clone, Default)]
pub struct Tokens {
    /// `DROVER_TOKEN`.
    pub full: Option<String>,
    /// `DROVER_READ_TOKEN`.
    pub read: Option<String>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Tokens")
    }
}

/// The tokens that the environment holds; an empty variable holds none.
pub fn tokens() -> Tokens {
    Tokens {
        full: variable("DROVER_TOKEN"),
        read: variable("DROVER_READ_TOKEN"),
    }
}

#[expect(clippy::disallowed_methods, reason = "clap would make a flag of it")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|token| !token.is_empty())
}
