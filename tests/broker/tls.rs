//! TLS, with certificates on both sides.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use drover_shared::queue::QueueError;
use drover_shared::queue::rabbitmq::{Address, ConnectOptions};
use drover_shared::queue::{Broker as _, Link, RabbitMq};
use drover_tests::Rabbit;
use tempfile::TempDir;

use crate::bench::{Bench, CONNECT_TIMEOUT, free_port, receives};

/// Whoever connects must show a certificate.
const STRICT: &str = "\
listeners.ssl.1 = 127.0.0.1:TLSPORT
ssl_options.cacertfile = FOLDER/authority.pem
ssl_options.certfile = FOLDER/server.pem
ssl_options.keyfile = FOLDER/server.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
";

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_show_their_certificates() {
    let certificates = Certificates::make();
    let port = free_port();
    let strict = STRICT.replace("TLSPORT", &port.to_string());
    let rabbit = Rabbit::prepared(&strict, |folder| certificates.copy_to(folder));
    let vhost = rabbit.vhost();
    let vhost = vhost.rsplit('/').next().expect("a URL has a path");
    let url =
        |parameters: &str| format!("amqps://guest:guest@localhost:{port}/{vhost}?{parameters}");
    let file = |name: &str| certificates.folder.path().join(name).display().to_string();
    let authority = format!("cacertfile={}", file("authority.pem"));
    let client = format!(
        "certfile={}&keyfile={}",
        file("client.pem"),
        file("client.key")
    );

    let bench = Bench::at(&url(&format!("{authority}&{client}"))).await;
    bench.publish("secret").await;
    receives(&mut *bench.consume(1).await, &["secret"]).await;
    assert_eq!(bench.broker.link(), Link::Up);

    for (parameters, what) in [
        (client.as_str(), "an authority that nobody trusts"),
        (authority.as_str(), "no certificate of one's own"),
        ("cacertfile=/no/such/file.pem", "a file that is not there"),
        ("cacertfile=/etc/passwd", "a file without certificates"),
    ] {
        let begun = Instant::now();
        let address: Address = url(parameters).parse().unwrap();
        match RabbitMq::connect(&address, "test", ConnectOptions::within(CONNECT_TIMEOUT)).await {
            Err(QueueError::Refused { message }) => {
                assert!(
                    ["certfile", "/no/such", "/etc/passwd"]
                        .iter()
                        .any(|named| message.contains(named)),
                    "{what}: {message}"
                );
            }
            other => panic!("{what}: {other:?}"),
        }
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{what}: {:?}",
            begun.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheme_that_does_not_fit_the_port_is_refused_with_the_right_one() {
    let certificates = Certificates::make();
    let tls = free_port();
    let rabbit = Rabbit::prepared(
        &format!(
            "listeners.ssl.1 = 127.0.0.1:{tls}\nssl_options.cacertfile = FOLDER/authority.pem\n\
             ssl_options.certfile = FOLDER/server.pem\nssl_options.keyfile = FOLDER/server.key\n"
        ),
        |folder| certificates.copy_to(folder),
    );
    for (scheme, port, right) in [
        ("amqp", tls, "amqps://"),
        ("amqps", rabbit.port(), "amqp://"),
    ] {
        let address: Address = format!("{scheme}://guest:guest@localhost:{port}")
            .parse()
            .unwrap();
        match RabbitMq::connect(&address, "test", ConnectOptions::within(CONNECT_TIMEOUT)).await {
            Err(QueueError::Refused { message }) => assert!(message.contains(right), "{message}"),
            other => panic!("{scheme}: {other:?}"),
        }
    }
}

/// An authority, and a server and a client that it vouches for.
struct Certificates {
    folder: TempDir,
}

impl Certificates {
    fn make() -> Self {
        let folder = TempDir::new().expect("a temporary folder can be made");
        let openssl = |arguments: &str| {
            let made = Command::new("openssl")
                .args(arguments.split_whitespace())
                .current_dir(folder.path())
                .output()
                .expect("openssl is there (apt-get install openssl)");
            let said = String::from_utf8_lossy(&made.stderr);
            assert!(made.status.success(), "openssl {arguments}: {said}");
        };
        let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(&format!(
            "req -x509 {key} -subj /CN=authority -keyout authority.key -out authority.pem"
        ));
        for who in ["server", "client"] {
            openssl(&format!(
                "req -x509 {key} -subj /CN={who} -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE \
                 -CA authority.pem -CAkey authority.key -keyout {who}.key -out {who}.pem"
            ));
        }
        Self { folder }
    }

    fn copy_to(&self, folder: &Path) {
        for name in ["authority.pem", "server.pem", "server.key"] {
            std::fs::copy(self.folder.path().join(name), folder.join(name))
                .expect("the node's folder is writable");
        }
    }
}
