//! The error of a text that is not a broker's address.

/// Reason why a text is not a broker's address. Never contains the text, which may hold a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the broker's URL {problem}; expected amqp://USER:PASSWORD@HOST:5672/VHOST")]
pub struct InvalidAddress {
    problem: String,
}

impl InvalidAddress {
    pub(super) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
        }
    }
}
