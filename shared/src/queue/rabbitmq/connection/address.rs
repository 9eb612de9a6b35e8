//! The address of a broker: one host, or several that are tried in turn.

use std::fmt;
use std::str::FromStr;

use super::endpoint::Endpoint;
use super::invalid_address::InvalidAddress;

/// The address of a broker: `amqp[s]://[USER[:PASSWORD]@]HOST[:PORT][,HOST[:PORT]…][/VHOST][?PARAMETERS]`, or several such
/// URLs with commas in between, for the nodes of one cluster. The hosts are tried in turn.
///
/// User and password are `guest` by default, the port is 5672 (5671 with TLS), the vhost is `/`; a vhost is
/// percent-encoded, so `/%2fjobs` names `/jobs`. Parameters: `heartbeat`, `cacertfile`, `certfile`, `keyfile`,
/// `auth_mechanism`, `channel_max`, `frame_max`.
///
/// ```
/// use drover_shared::queue::rabbitmq::Address;
/// let address: Address = "amqps://drover:s3cret@mq1,mq2:7?cacertfile=/etc/drover/ca.pem".parse().unwrap();
/// assert_eq!(address.to_string(), "amqps://drover@mq1:5671/%2f, amqps://drover@mq2:7/%2f");
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    /// At least one.
    endpoints: Vec<Endpoint>,
}

impl Address {
    /// The hosts, in the order of the text; at least one.
    pub(in crate::queue::rabbitmq) fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let mut endpoints = Vec::new();
        for url in urls(text) {
            // Else the second password would be taken for a part of the vhost, and shown.
            if url.matches("://").count() > 1 {
                let problem = "lists another URL that does not begin with amqp:// or amqps://";
                return Err(InvalidAddress::new(problem));
            }
            for one in hosts(url) {
                endpoints.push(one.parse()?);
            }
        }
        Ok(Self { endpoints })
    }
}

/// The URLs of a list. Only a comma before a scheme separates URLs: a password may contain commas.
fn urls(text: &str) -> Vec<&str> {
    let mut urls = Vec::new();
    let mut rest = text;
    let next = |text: &str| {
        text.match_indices(',')
            .map(|(at, _)| at)
            .find(|at| text[at + 1..].trim_start().starts_with("amqp"))
            .filter(|at| text[at + 1..].contains("://"))
    };
    while let Some(at) = next(rest) {
        urls.push(rest[..at].trim());
        rest = &rest[at + 1..];
    }
    urls.push(rest.trim());
    urls
}

/// The URL once for each of its hosts.
fn hosts(url: &str) -> Vec<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return vec![url.to_owned()];
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, hosts) = match authority.rfind('@') {
        Some(at) => authority.split_at(at + 1),
        None => ("", authority),
    };
    hosts
        .split(',')
        .map(|host| format!("{scheme}://{user}{}{path}", host.trim()))
        .collect()
}

/// Shows the address without passwords.
impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(out, "{comma}{endpoint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_urls_are_listed_in_turn_without_their_passwords() {
        for (text, shown) in [
            ("amqp://me:s3cret@a/v", "amqp://me@a:5672/v"),
            (
                "amqp://me:s3cret@a:1, b,[::1]:2/v?heartbeat=3",
                "amqp://me@a:1/v, amqp://me@b:5672/v, amqp://me@[::1]:2/v",
            ),
            (
                "amqp://me:s3,cret@a/v , amqps://you:s3cret@b",
                "amqp://me@a:5672/v, amqps://you@b:5671/%2f",
            ),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("cret"));
        }
        for wrong in [
            "amqp://me:s3cret@a,,b",
            "amqp://me:s3cret@a,b:port",
            "amqp://me:s3cret@a,http://me:s3cret@b",
            "amqp://me:s3cret@a,amqp://me:s3cret@b?odd=1",
        ] {
            let error = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
