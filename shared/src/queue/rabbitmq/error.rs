//! Classification of lapin's errors: retry, or report to the caller.

use std::io;

use lapin::ErrorKind;
use lapin::protocol::AMQPError;

/// A failure, by the reaction to it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum BrokerFailure {
    /// The connection or channel was lost, or the broker is not ready yet: retry.
    Transient(String),
    /// The queue does not exist.
    QueueMissing,
    /// The broker refuses, and a retry would be refused too. Contains advice.
    Refused(String),
}

/// Reply codes of AMQP 0-9-1 with a specific meaning.
mod code {
    pub(super) const ACCESS_REFUSED: u16 = 403;
    pub(super) const NOT_FOUND: u16 = 404;
    pub(super) const RESOURCE_LOCKED: u16 = 405;
    pub(super) const PRECONDITION_FAILED: u16 = 406;
    pub(super) const NOT_ALLOWED: u16 = 530;
    pub(super) const NOT_IMPLEMENTED: u16 = 540;
}

impl From<&lapin::Error> for BrokerFailure {
    fn from(error: &lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(said) => Self::said_by_the_broker(said),
            ErrorKind::IOError(error) if error.kind() == io::ErrorKind::InvalidData => {
                Self::Refused(tls_failure(&error.to_string()))
            }
            ErrorKind::InvalidProtocolVersion(_) => {
                Self::Refused("the server does not speak AMQP 0-9-1; check the port".to_owned())
            }
            ErrorKind::AuthProviderError(why) => Self::Refused(why.clone()),
            ErrorKind::IOError(error) => Self::Transient(error.to_string()),
            _ => Self::Transient(error.to_string()),
        }
    }
}

impl BrokerFailure {
    /// The connection closed before the answer.
    pub(super) fn connection_lost() -> Self {
        Self::Transient("the connection was lost".to_owned())
    }

    fn said_by_the_broker(said: &AMQPError) -> Self {
        let text = said.get_message().to_string();
        match said.get_id() {
            code::ACCESS_REFUSED if text.contains("Login was refused") => Self::Refused(format!(
                "{text}; check user and password in the broker's URL"
            )),
            code::ACCESS_REFUSED => Self::Refused(format!(
                "{text}; the user needs to configure, write and read `drover\\..*` and write to `amq.default` (rabbitmqctl set_permissions)"
            )),
            // A queue with starting members is "not found" as well.
            code::NOT_FOUND if text.contains("no queue") => Self::QueueMissing,
            code::PRECONDITION_FAILED if text.contains("inequivalent arg") => {
                Self::Refused(format!(
                    "{text}; a queue of this name exists with other arguments: remove the queue (rabbitmqctl delete_queue) or use another vhost"
                ))
            }
            code::PRECONDITION_FAILED | code::NOT_IMPLEMENTED => Self::Refused(text),
            code::NOT_ALLOWED if !text.contains("is down") => Self::Refused(format!(
                "{text}; check the vhost in the broker's URL and the user's permissions for it"
            )),
            _ => Self::Transient(text),
        }
    }
}

/// The text of rustls, with the way out.
fn tls_failure(text: &str) -> String {
    let advice = if text.contains("CaUsedAsEndEntity") {
        "the server presents a self-signed CA certificate as its own; give the server a certificate that is signed by the CA"
    } else if text.contains("UnknownIssuer") {
        "no trusted authority signed the server's certificate; name the CA's PEM file by ?cacertfile=FILE"
    } else if text.contains("NotValidForName") {
        "the server's certificate is for another host name; use that name in the URL"
    } else if text.contains("Expired") || text.contains("NotValidYet") {
        "renew the server's certificate, and check the clock of this machine"
    } else if text.contains("corrupt message") || text.contains("InvalidContentType") {
        "the port does not speak TLS; write amqp:// in place of amqps://, or give the TLS port (5671)"
    } else if text.contains("CertificateRequired") || text.contains("HandshakeFailure") {
        "the server wants a certificate of the client; name PEM files by ?certfile=FILE&keyfile=FILE"
    } else {
        "check cacertfile, certfile and keyfile, and that the port speaks TLS"
    };
    format!("TLS failed: {text}; {advice}")
}

/// True if a passive declaration found a queue. Another connection's exclusive queue is locked, and thus exists.
pub(super) fn exists<T>(declared: lapin::Result<T>) -> lapin::Result<bool> {
    match declared {
        Ok(_) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(said) if said.get_id() == code::RESOURCE_LOCKED => Ok(true),
            ErrorKind::ProtocolError(said) if said.get_id() == code::NOT_FOUND => Ok(false),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

    fn failure(kind: AMQPErrorKind, text: &str) -> BrokerFailure {
        let error = AMQPError::new(kind, text.into());
        BrokerFailure::from(&lapin::Error::from(ErrorKind::ProtocolError(error)))
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let denied: AMQPErrorKind = AMQPSoftError::ACCESSREFUSED.into();
        let failed: AMQPErrorKind = AMQPSoftError::PRECONDITIONFAILED.into();
        let not_allowed: AMQPErrorKind = AMQPHardError::NOTALLOWED.into();
        for (kind, text, advice) in [
            (
                denied.clone(),
                "ACCESS_REFUSED - Login was refused using …",
                "password",
            ),
            (
                denied,
                "ACCESS_REFUSED - write access to queue …",
                "set_permissions",
            ),
            (
                failed,
                "PRECONDITION_FAILED - inequivalent arg 'x-…'",
                "delete_queue",
            ),
            (
                not_allowed,
                "NOT_ALLOWED - vhost x not found",
                "vhost in the broker's URL",
            ),
        ] {
            match failure(kind, text) {
                BrokerFailure::Refused(message) => assert!(message.contains(advice), "{message}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn each_tls_failure_says_what_to_do() {
        for (text, advice) in [
            (
                "invalid peer certificate: Other(CaUsedAsEndEntity)",
                "self-signed",
            ),
            ("invalid peer certificate: UnknownIssuer", "cacertfile"),
            (
                "received corrupt message of type InvalidContentType",
                "amqp://",
            ),
        ] {
            let failed = io::Error::new(io::ErrorKind::InvalidData, text);
            let failed = lapin::Error::from(ErrorKind::IOError(std::sync::Arc::new(failed)));
            match BrokerFailure::from(&failed) {
                BrokerFailure::Refused(message) => assert!(message.contains(advice), "{message}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn transient_failures_are_retried() {
        let not_found: AMQPErrorKind = AMQPSoftError::NOTFOUND.into();
        assert_eq!(
            failure(not_found.clone(), "NOT_FOUND - no queue 'x' in vhost '/'"),
            BrokerFailure::QueueMissing
        );
        for (kind, text) in [
            (
                not_found,
                "NOT_FOUND - queue 'x' in vhost '/' process is stopped by supervisor",
            ),
            (
                AMQPHardError::CONNECTIONFORCED.into(),
                "CONNECTION_FORCED - broker forced connection closure",
            ),
            (
                AMQPHardError::NOTALLOWED.into(),
                "NOT_ALLOWED - vhost 'x' is down",
            ),
            (
                AMQPSoftError::RESOURCELOCKED.into(),
                "RESOURCE_LOCKED - cannot obtain exclusive access",
            ),
        ] {
            assert_eq!(
                failure(kind, text),
                BrokerFailure::Transient(text.to_owned())
            );
        }
    }
}
