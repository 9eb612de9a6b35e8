//! An error with its causes on one line, for records, messages and logs.

use std::error::Error;

/// The error and all of its causes, joined by colons.
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot do this")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("that is missing")]
    struct Inner;

    #[test]
    fn every_cause_is_told_once() {
        assert_eq!(
            with_causes(&Outer(Inner)),
            "cannot do this: that is missing"
        );
    }
}
