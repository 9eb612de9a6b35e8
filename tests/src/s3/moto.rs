//! A foreign S3 server: moto from `PyPI`, which keeps every key as it is.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::{Running, drover, eventually};

/// What is installed: the server, without the services that the tests do not use.
const PACKAGES: [&str; 3] = ["moto[s3]==5.2.5", "flask", "flask-cors"];

/// Moto checks no signature, but answers nobody who sends none.
const SIGNATURE: &str = "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// A moto server on a port of this machine; ended when dropped.
#[derive(Debug)]
pub struct Moto {
    address: String,
    _server: Running,
}

impl Moto {
    /// Starts a server without buckets, whose output goes to files in `folder`. None where moto cannot be installed, and
    /// that is said.
    pub fn start(folder: &Path) -> Option<Self> {
        static INSTALLED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let program = match INSTALLED.get_or_init(install) {
            Ok(program) => program,
            Err(problem) => {
                // Past the capture of the test: a pass must not look as if it had tested something.
                let mut stderr = io::stderr();
                let _ = writeln!(stderr, "SKIPPED: a foreign S3 server (moto): {problem}");
                return None;
            }
        };
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", "0"]);
        let mut server = Running::start(command, &folder.join("moto"));
        let mut address = None;
        eventually("moto listened", || {
            assert!(!server.has_ended(), "moto ended: {}", server.stderr());
            let said = server.stderr();
            let said = said.split("http://").nth(1);
            address = said
                .and_then(|rest| rest.split_whitespace().next())
                .map(str::to_owned);
            address.is_some()
        });
        Some(Self {
            address: address?,
            _server: server,
        })
    }

    /// Variables with the address of the server and any credentials.
    pub fn environment(&self) -> [(&'static str, String); 4] {
        [
            ("AWS_ENDPOINT", format!("http://{}", self.address)),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "any".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
        ]
    }

    /// Makes a bucket.
    pub fn bucket(&self, name: &str) {
        self.request("PUT", &format!("/{name}"), b"");
    }

    /// Puts an object at a key, exactly as written.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        self.request("PUT", &format!("/{bucket}/{}", escaped(key)), bytes);
    }

    /// Removes an object.
    pub fn remove(&self, bucket: &str, key: &str) {
        self.request("DELETE", &format!("/{bucket}/{}", escaped(key)), b"");
    }

    /// The bytes of an object.
    pub fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        self.request("GET", &format!("/{bucket}/{}", escaped(key)), b"")
    }

    /// The uploads that were begun and neither completed nor aborted, as the server lists them.
    pub fn open_uploads(&self, bucket: &str) -> usize {
        let listing = self.request("GET", &format!("/{bucket}?uploads"), b"");
        String::from_utf8_lossy(&listing)
            .matches("<UploadId>")
            .count()
    }

    /// Sends a request and gives the body of the answer. Clients of HTTP would change odd keys.
    fn request(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let exchange = || -> io::Result<Vec<u8>> {
            let mut stream = TcpStream::connect(&self.address)?;
            let (host, length) = (&self.address, body.len());
            write!(
                stream,
                "{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\
                 Authorization: {SIGNATURE}\r\nConnection: close\r\n\r\n"
            )?;
            stream.write_all(body)?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = exchange().unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.expect("an answer has a head") + 4);
        let head = String::from_utf8_lossy(head);
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {target}: {head}");
        body.to_vec()
    }
}

/// A key in a URL.
fn escaped(key: &str) -> String {
    let escaped = key.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// Installs moto beside the binaries, once for all test processes; gives the program.
fn install() -> Result<PathBuf, String> {
    let target = drover().ancestors().nth(2).ok_or("no target folder")?;
    let folder = target.join("moto-5.2.5");
    let told = |error: io::Error| error.to_string();
    let lock = File::create(target.join("moto.lock")).map_err(told)?;
    lock.lock().map_err(told)?;
    let (program, marker) = (folder.join("bin/moto_server"), folder.join("installed"));
    if marker.exists() {
        return Ok(program);
    }
    let _ = fs::remove_dir_all(&folder);
    done(
        Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .output(),
    )?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--retries", "1", "--timeout", "20"])
        .args(PACKAGES);
    done(pip.output())?;
    File::create(marker).map_err(told)?;
    Ok(program)
}

fn done(ran: io::Result<Output>) -> Result<(), String> {
    let output = ran.map_err(|error| format!("python3 does not start: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned()
        + &String::from_utf8_lossy(&output.stdout);
    Err(said
        .lines()
        .last()
        .unwrap_or("it failed silently")
        .to_owned())
}
