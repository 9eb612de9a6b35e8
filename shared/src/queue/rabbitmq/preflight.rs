//! Checks of a broker before work starts. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::topology::CONSUMER_TIMEOUT;

/// The oldest broker whose quorum queues dead-letter without losing messages.
const OLDEST: Version = Version::new(3, 10, 0);

/// The first broker with a consumer timeout per queue.
const LETS_QUEUES_SAY: Version = Version::new(3, 12, 0);

/// Consumer timeout of a broker without a setting by configuration or queue.
const SERVER_DEFAULT: Duration = Duration::from_secs(30 * 60);

/// The broker looks once a minute, and Drover needs a moment around the command.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// A broker's version.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// The version `major.minor.patch`.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A text that does not begin with a version.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is not a version of RabbitMQ, such as 3.10.8")]
pub struct InvalidVersion {
    text: String,
}

impl FromStr for Version {
    type Err = InvalidVersion;

    /// Parses `3.10.8`, also with a suffix (`4.1.0-beta.4`) or without a patch (`4.1`).
    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let invalid = || InvalidVersion {
            text: text.to_owned(),
        };
        let core = text.split(['-', '+']).next().unwrap_or_default();
        let mut numbers = core.split('.').map(str::parse);
        let mut number = || numbers.next().unwrap_or(Ok(0)).map_err(|_| invalid());
        Ok(Self::new(number()?, number()?, number()?))
    }
}

/// Advice on a broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Advice {
    /// Work must not start: messages would be lost or jobs never end.
    Refusal(String),
    /// Work may start, but a person should know.
    Warning(String),
}

/// Advice on a broker of the version, where a message may stay unacked for at most `longest` (none: unlimited).
pub fn preflight(version: &Version, longest: Option<Duration>) -> Vec<Advice> {
    if *version < OLDEST {
        return vec![Advice::Refusal(format!(
            "RabbitMQ {version} is too old: its queues may lose dead letters; Drover needs {OLDEST} or later"
        ))];
    }
    let limit = if *version < LETS_QUEUES_SAY {
        SERVER_DEFAULT
    } else {
        CONSUMER_TIMEOUT
    };
    let fits = longest.is_some_and(|longest| longest.saturating_add(MARGIN) <= limit);
    let unlimited_by_queue = longest.is_none() && *version >= LETS_QUEUES_SAY;
    if fits || unlimited_by_queue {
        return Vec::new();
    }
    vec![Advice::Warning(if *version < LETS_QUEUES_SAY {
        server_decides(version, longest)
    } else {
        beyond_the_queue(longest)
    })]
}

/// The broker's configuration cannot be read from here, so it may be right already.
fn server_decides(version: &Version, longest: Option<Duration>) -> String {
    let (what, enough) = match longest {
        Some(longest) => (format!("a datum may take {longest:?}"), longest + MARGIN),
        None => ("a datum may take any time".to_owned(), CONSUMER_TIMEOUT),
    };
    format!(
        "{what}, but RabbitMQ {version} gives a message to another worker after its own consumer_timeout (30 min by default), so a longer datum runs \
         twice; unless that is done already, put `consumer_timeout = {}` into its rabbitmq.conf, or set datum_timeout to at most {:?}",
        enough.as_millis(),
        SERVER_DEFAULT.saturating_sub(MARGIN)
    )
}

fn beyond_the_queue(longest: Option<Duration>) -> String {
    format!(
        "a datum may take {:?}, but the queue gives a message to another worker after {CONSUMER_TIMEOUT:?}, so a longer datum runs twice; set \
         datum_timeout to at most {:?}",
        longest.unwrap_or_default(),
        CONSUMER_TIMEOUT.saturating_sub(MARGIN)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn versions_are_read_as_brokers_write_them() {
        for (text, version) in [
            ("3.10.8", Version::new(3, 10, 8)),
            ("4.1.0-beta.4", Version::new(4, 1, 0)),
            ("4.2", Version::new(4, 2, 0)),
            ("3.13.7+1", Version::new(3, 13, 7)),
        ] {
            assert_eq!(text.parse(), Ok(version));
        }
        assert!("".parse::<Version>().is_err());
        assert!("latest".parse::<Version>().is_err());
        assert!(Version::new(3, 9, 29) < Version::new(3, 10, 0));
    }

    #[test]
    fn a_broker_that_may_lose_messages_is_refused() {
        let advice = preflight(&Version::new(3, 9, 29), Some(MINUTE));
        assert!(matches!(&advice[..], [Advice::Refusal(text)] if text.contains("3.10.0 or later")));
    }

    #[test]
    fn a_datum_longer_than_the_consumer_timeout_gets_a_warning() {
        for (version, longest, fix) in [
            ((3, 10, 8), Some(MINUTE), None),
            ((3, 10, 8), Some(25 * MINUTE), None),
            (
                (3, 10, 8),
                Some(30 * MINUTE),
                Some("consumer_timeout = 2100000`"),
            ),
            ((3, 11, 0), None, Some("consumer_timeout = 604800000`")),
            ((3, 12, 0), None, None),
            ((4, 0, 5), Some(24 * 60 * MINUTE), None),
            ((4, 0, 5), Some(8 * 24 * 60 * MINUTE), Some("datum_timeout")),
        ] {
            let version = Version::new(version.0, version.1, version.2);
            let advice = preflight(&version, longest);
            match (&advice[..], fix) {
                ([], None) => {}
                ([Advice::Warning(text)], Some(fix)) => assert!(text.contains(fix), "{text}"),
                other => panic!("{version}, {longest:?}: {other:?}"),
            }
        }
    }
}
