//! A broker's address on a command line.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::{Address, InvalidAddress};

/// The broker's address as typed. The text holds the password and is never shown. It is parsed later, because clap
/// would print a text that does not parse.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct BrokerUrl(String);

impl BrokerUrl {
    /// Parses the address.
    pub fn address(&self) -> Result<Address, InvalidAddress> {
        self.0.parse()
    }
}

impl FromStr for BrokerUrl {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BrokerUrl(…)")
    }
}
