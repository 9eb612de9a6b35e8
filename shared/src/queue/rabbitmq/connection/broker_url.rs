//! A broker's address on a command line.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::{Address, InvalidAddress};

/// The broker's address as typed: with its password, so it is never shown. That it makes sense is found out later, as
/// clap would print what does not.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct BrokerUrl(String);

impl BrokerUrl {
    /// What it means.
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
