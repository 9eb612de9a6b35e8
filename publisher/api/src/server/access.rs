//! Access control by tokens with roles. Without tokens, only requests from the local machine are accepted.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use super::connections::Trust;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::routing::error::{Error, ErrorKind};
use crate::routing::openapi;
use crate::routing::role::Role;

/// Maximum length of a token in characters.
const MAX_TOKEN_LENGTH: usize = 512;

/// A secret that grants access. Only the hash is stored, and the comparison takes constant time.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Token(blake3::Hash);

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_fine = !text.is_empty()
            && text.len() <= MAX_TOKEN_LENGTH
            && text.bytes().all(|each| each.is_ascii_graphic());
        is_fine
            .then(|| Self(blake3::hash(text.as_bytes())))
            .ok_or("a token is 1 to 512 visible ASCII characters, without spaces")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token")
    }
}

/// The tokens that grant access.
#[derive(Clone, Copy, Debug, Default)]
pub struct Access {
    full: Option<Token>,
    read: Option<Token>,
}

/// An unsafe combination of tokens and address.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccessError {
    /// Both roles have the same token.
    #[error("the token and the read-only token are the same; give two different tokens")]
    Same,
    /// No tokens, as root.
    #[error(
        "--no-token is refused as root, because any user of this machine could run commands as root; \
         leave the flag out, and use the link with the token that `drover serve` prints"
    )]
    Root,
    /// The address is not a loopback address, and there is no token.
    #[error(
        "--http {0} can be reached from other machines, so it needs a token: leave --no-token out, set DROVER_TOKEN \
         (or DROVER_READ_TOKEN, for read-only access), or give --token-file FILE"
    )]
    Open(SocketAddr),
}

impl Access {
    /// Access without tokens, for every user of the local machine; refused as root, because any user could then run commands
    /// as root.
    pub fn without_tokens() -> Result<Self, AccessError> {
        if rustix::process::geteuid().is_root() {
            return Err(AccessError::Root);
        }
        Ok(Self::default())
    }

    /// Creates access control with tokens; without tokens, for the local machine only.
    pub fn new(full: Option<Token>, read: Option<Token>) -> Result<Self, AccessError> {
        match (full, read) {
            (Some(one), Some(other)) if one == other => Err(AccessError::Same),
            (full, read) => Ok(Self { full, read }),
        }
    }

    /// Checks that the tokens suffice for an API at `address`.
    pub fn suffices(&self, address: SocketAddr) -> Result<(), AccessError> {
        if self.is_open() && !address.ip().is_loopback() {
            return Err(AccessError::Open(address));
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.full.is_none() && self.read.is_none()
    }

    /// Role of the token in the request's headers, and the name of the token for the audit log.
    fn role(&self, headers: &HeaderMap) -> Result<(Role, Who), Error> {
        let sent = headers.get(AUTHORIZATION).and_then(|value| {
            let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        let Some(sent) = sent else {
            let message = "this needs a token: send the header `Authorization: Bearer TOKEN`";
            return Err(Error::new(ErrorKind::Unauthorized, message));
        };
        let sent: Option<Token> = sent.parse().ok();
        match sent {
            Some(token) if sent == self.full => Ok((Role::Full, Who::of("full", token))),
            Some(token) if sent == self.read => Ok((Role::Read, Who::of("read", token))),
            _ => Err(Error::new(
                ErrorKind::Unauthorized,
                "the token is wrong: `drover serve` was started with another one",
            )),
        }
    }

    /// Role of a request; none for paths that need no role.
    fn admit(&self, request: &Request) -> Result<Option<(Role, Who)>, Error> {
        if self.is_open() {
            local(request.uri(), request.headers())?;
            return Ok(Some((Role::Full, Who("local".to_owned()))));
        }
        let path = request.uri().path();
        if !path.starts_with("/api/") || path == openapi::PATH {
            return Ok(None);
        }
        let (role, who) = self.role(request.headers())?;
        if role == Role::Read && !matches!(*request.method(), Method::GET | Method::HEAD) {
            let message =
                "this token permits reading only; stop, retry and changes need the full token";
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        Ok(Some((role, who)))
    }
}

/// The client of a permitted request, for the audit log: `full 3f9a01bc` is the role and the beginning of a hash of the
/// token's hash, which reveals nothing about the token.
#[derive(Clone, Debug)]
pub(crate) struct Who(pub(crate) String);

impl Who {
    fn of(role: &str, Token(hash): Token) -> Self {
        let again = blake3::hash(hash.as_bytes()).to_hex();
        Self(format!("{role} {}", &again[..8]))
    }
}

/// Middleware: refuses requests without access, and adds the role to the others.
pub(crate) async fn guard(
    State(access): State<Access>,
    mut request: Request,
    next: Next,
) -> Response {
    match access.admit(&request) {
        Ok(admitted) => {
            if let Some((role, who)) = admitted {
                request.extensions_mut().insert(role);
                request.extensions_mut().insert(who);
                if let Some(trust) = request.extensions().get::<Trust>() {
                    trust.earn();
                }
            }
            next.run(request).await
        }
        Err(error) => {
            let mut refusal = error.into_response();
            if refusal.status() == axum::http::StatusCode::UNAUTHORIZED {
                let bearer = HeaderValue::from_static("Bearer");
                refusal.headers_mut().insert(WWW_AUTHENTICATE, bearer);
            }
            refusal
        }
    }
}

/// Without a token, refuses host names of foreign pages (DNS rebinding) and pages of other origins (CSRF).
fn local(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    let host = uri
        .authority()
        .map(axum::http::uri::Authority::as_str)
        .or_else(|| text(headers, HOST))
        .unwrap_or_default();
    if !is_loopback(host) {
        let message = "without a token, only localhost, 127.0.0.1 and [::1] are accepted as host names; start `drover serve` \
                       with DROVER_TOKEN to use another name";
        return Err(Error::new(ErrorKind::Forbidden, message));
    }
    if headers.contains_key(ORIGIN) {
        let origin = text(headers, ORIGIN).unwrap_or_default();
        let is_own = origin
            .strip_prefix("http://")
            .is_some_and(|own| own.eq_ignore_ascii_case(host));
        if !is_own {
            let message = "without a token, requests from pages of other origins are refused";
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// True if `host`, with or without a port, is a loopback name of the local machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|each| each.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    name.eq_ignore_ascii_case("localhost")
        || address
            .unwrap_or(name)
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_its_own() {
        for host in [
            "localhost",
            "LOCALHOST:7600",
            "127.0.0.1:80",
            "127.0.0.1",
            "[::1]",
            "[::1]:7600",
        ] {
            assert!(is_loopback(host), "{host} was refused");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:7600",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "evil.example:127.0.0.1",
            "[::2]:1",
        ] {
            assert!(!is_loopback(host), "{host} was accepted");
        }
    }

    #[test]
    fn other_machines_are_let_in_with_a_token_only() {
        let token = |text: &str| text.parse::<Token>().ok();
        let everywhere: SocketAddr = "0.0.0.0:7600".parse().unwrap();
        let here: SocketAddr = "[::1]:7600".parse().unwrap();
        let open = Access::new(None, None).unwrap();
        assert_eq!(open.suffices(here), Ok(()));
        assert_eq!(
            open.suffices(everywhere),
            Err(AccessError::Open(everywhere))
        );
        let reading = Access::new(None, token("look")).unwrap();
        assert_eq!(reading.suffices(everywhere), Ok(()));
        assert_eq!(
            Access::new(token("same"), token("same")).unwrap_err(),
            AccessError::Same
        );
        for bad in ["", "with space", "ümlaut", "line\n"] {
            assert!(token(bad).is_none(), "{bad:?} was accepted");
        }
    }
}
