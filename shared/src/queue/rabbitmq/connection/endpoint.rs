//! The address of one broker host, with credentials.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use pem::Pem;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use url::Url;

use super::invalid_address::InvalidAddress;

/// Seconds between heartbeats, unless the URL says otherwise. A connection counts as lost after three missed
/// heartbeats.
const HEARTBEAT_S: u16 = 10;

/// Parameters of the URL's query that lapin parses.
const PARAMETERS: [&str; 4] = ["heartbeat", "channel_max", "frame_max", "auth_mechanism"];

/// The address of one host: `amqp[s]://[USER[:PASSWORD]@]HOST[:PORT][/VHOST][?PARAMETERS]`.
///
/// User and password are `guest` by default, the port is 5672 (5671 with TLS), the vhost is `/`; a vhost is
/// percent-encoded, so `/%2fjobs` names `/jobs`. Parameters, as `RabbitMQ`'s other clients know them:
///
/// - `heartbeat`: seconds, default 10. A frozen or cut-off process is noticed after three of them.
/// - `cacertfile`: PEM file of authorities to trust beside those that the system trusts; only with `amqps`.
/// - `certfile`, `keyfile`: PEM files of the client's certificate (chain) and its private key; only with `amqps`.
///   They are read anew for each connection, so they may be renewed under a running process.
/// - `auth_mechanism`: `plain` by default; `external` where the certificate says who one is.
/// - `channel_max`, `frame_max`: limits below those of the broker.
#[derive(Clone, Eq, PartialEq)]
pub(in crate::queue::rabbitmq) struct Endpoint {
    uri: AMQPUri,
    certificates: Certificates,
}

/// Files for TLS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Certificates {
    authorities: Option<PathBuf>,
    /// Certificate chain and key of the client.
    client: Option<(PathBuf, PathBuf)>,
}

impl Endpoint {
    /// The URI for lapin, with the password.
    pub(in crate::queue::rabbitmq) fn uri(&self) -> &AMQPUri {
        &self.uri
    }

    /// The URI as text. An IPv6 host is percent-encoded, because lapin does not parse IPv6 hosts.
    pub(in crate::queue::rabbitmq) fn url(&self) -> String {
        let mut uri = self.uri.clone();
        uri.authority.host = uri.authority.host.replace(':', "%3A");
        uri.to_string()
    }

    /// Certificates beside those of the system: the files named in the address, and the bundled authorities if the
    /// system has none. None if neither applies.
    pub(in crate::queue::rabbitmq) fn certificates(
        &self,
    ) -> Result<Option<OwnedTLSConfig>, String> {
        let Certificates {
            authorities,
            client,
        } = &self.certificates;
        let authorities = match authorities {
            Some(file) => Some(pem_file(file, "CERTIFICATE")?),
            None => self.usual_authorities(),
        };
        let client = client.as_ref().map(|(chain, key)| {
            Ok::<_, String>(OwnedIdentity::PKCS8 {
                pem: pem_file(chain, "CERTIFICATE")?.into_bytes(),
                key: pem_file(key, "PRIVATE KEY")?.into_bytes(),
            })
        });
        let client = client.transpose()?;
        let is_needed = authorities.is_some() || client.is_some();
        Ok(is_needed.then_some(OwnedTLSConfig {
            identity: client,
            cert_chain: authorities,
        }))
    }

    /// The bundled authorities as PEM; none without TLS.
    fn usual_authorities(&self) -> Option<String> {
        if self.uri.scheme != AMQPScheme::AMQPS {
            return None;
        }
        let authorities = crate::tls::authorities();
        let blocks = authorities
            .iter()
            .map(|der| Pem::new("CERTIFICATE", der.as_ref()));
        (!authorities.is_empty()).then(|| pem::encode_many(&blocks.collect::<Vec<_>>()))
    }
}

/// The text of a PEM file with at least one block of the kind. A file with anything else would be ignored silently.
fn pem_file(path: &Path, kind: &str) -> Result<String, String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    let blocks = pem::parse_many(&bytes).unwrap_or_default();
    if !blocks.iter().any(|block| block.tag().ends_with(kind)) {
        return Err(format!(
            "{shown} holds no {kind} in PEM form (-----BEGIN …{kind}-----)"
        ));
    }
    for block in blocks.iter().filter(|block| block.tag() == "CERTIFICATE") {
        let certificate = CertificateDer::from(block.contents());
        let mut store = RootCertStore::empty();
        store
            .add(certificate)
            .map_err(|error| format!("{shown} holds a damaged certificate: {error}"))?;
    }
    String::from_utf8(bytes).map_err(|_| format!("{shown} is not a text file"))
}

impl FromStr for Endpoint {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = |problem: &str| InvalidAddress::new(problem);
        let url = Url::parse(text).map_err(|error| invalid(&format!("is not a URL ({error})")))?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err(invalid("does not begin with amqp:// or amqps://"));
        }
        let host = match url.host() {
            Some(url::Host::Ipv6(host)) => Some(host.to_string()),
            Some(_) => None,
            None => return Err(invalid("names no host")),
        };
        let certificates = Certificates::of(&url)?;
        let mut uri: AMQPUri = text.parse().map_err(|_| invalid("has an invalid part"))?;
        if let Some(host) = host {
            uri.authority.host = host;
        }
        if uri.vhost.is_empty() {
            "/".clone_into(&mut uri.vhost);
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        Ok(Self { uri, certificates })
    }
}

impl Certificates {
    fn of(url: &Url) -> Result<Self, InvalidAddress> {
        let invalid = |problem: String| InvalidAddress::new(problem);
        let (mut authorities, mut chain, mut key) = (None, None, None);
        for (name, value) in url.query_pairs() {
            let file = match name.as_ref() {
                "cacertfile" => &mut authorities,
                "certfile" => &mut chain,
                "keyfile" => &mut key,
                name if PARAMETERS.contains(&name) => continue,
                other => {
                    return Err(invalid(format!(
                        "has a parameter {other:?}; there are {}, cacertfile, certfile and keyfile",
                        PARAMETERS.join(", ")
                    )));
                }
            };
            *file = Some(PathBuf::from(value.into_owned()));
        }
        let client = match (chain, key) {
            (Some(chain), Some(key)) => Some((chain, key)),
            (None, None) => None,
            _ => {
                return Err(invalid(
                    "has certfile or keyfile without the other".to_owned(),
                ));
            }
        };
        let certificates = Self {
            authorities,
            client,
        };
        if url.scheme() == "amqp" && certificates != Self::default() {
            return Err(invalid(
                "names certificates, which need amqps://".to_owned(),
            ));
        }
        Ok(certificates)
    }
}

/// Shows the address without the password.
impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AMQPUri {
            scheme,
            authority,
            vhost,
            ..
        } = &self.uri;
        let host = match (&authority.host, scheme) {
            (host, _) if host.contains(':') => format!("[{host}]"),
            (host, AMQPScheme::AMQP | AMQPScheme::AMQPS) => host.clone(),
        };
        let (user, port) = (&authority.userinfo.username, authority.port);
        write!(
            out,
            "{scheme}://{user}@{host}:{port}/{}",
            vhost.replace('/', "%2f")
        )
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Endpoint {
        text.parse().unwrap()
    }

    #[test]
    fn a_password_is_never_shown() {
        let address = parse("amqp://drover:s3cret@mq:1234/%2fjobs");
        for shown in [address.to_string(), format!("{address:?}")] {
            assert!(shown.contains("drover@mq:1234/%2fjobs"), "{shown}");
            assert!(!shown.contains("s3cret"), "{shown}");
        }
        for wrong in [
            "amqp:s3cret",
            "http://drover:s3cret@mq",
            "amqp://drover:s3cret@mq:port",
            "amqp://drover:s3cret@mq?heartbeat=often",
            "amqp://drover:s3cret@mq?verify=s3cret&other",
        ] {
            let error = wrong.parse::<Endpoint>().unwrap_err().to_string();
            assert!(!error.contains("s3cret@"), "{error}");
            assert!(error.contains("amqp://USER:PASSWORD@HOST"), "{error}");
        }
    }

    #[test]
    fn omitted_parts_have_the_usual_defaults() {
        let address = parse("amqp://mq");
        assert_eq!(address.url(), "amqp://guest:guest@mq:5672/%2F?heartbeat=10");
        assert_eq!(parse("amqp://mq/"), address, "no vhost is called nothing");
        let address = parse("amqps://mq?heartbeat=3");
        assert_eq!(address.url(), "amqps://guest:guest@mq:5671/%2F?heartbeat=3");
    }

    #[test]
    fn an_ipv6_address_reaches_lapin() {
        let address = parse("amqp://[::1]:7/x");
        assert_eq!(address.to_string(), "amqp://guest@[::1]:7/x");
        assert_eq!(address.url().parse::<AMQPUri>().as_ref(), Ok(address.uri()));
    }

    #[test]
    fn certificates_come_in_the_right_company() {
        assert_eq!(parse("amqp://mq").certificates(), Ok(None));
        for wrong in [
            "amqp://mq?cacertfile=/ca",
            "amqps://mq?certfile=/c",
            "amqps://mq?keyfile=/k",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
        let missing = parse("amqps://mq?cacertfile=/no/such.pem").certificates();
        assert!(missing.unwrap_err().contains("/no/such.pem"));
        let garbage = tempfile::NamedTempFile::new().unwrap();
        for text in [
            "",
            "garbage",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(garbage.path(), text).unwrap();
            let path = garbage.path().display().to_string();
            let refused = parse(&format!("amqps://mq?cacertfile={path}")).certificates();
            assert!(refused.unwrap_err().contains(&path), "{text}");
        }
    }
}
