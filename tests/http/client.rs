//! A service with its page, and a client that can be as rude as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use drover_tests::{Running, TestCluster, eventually};
use serde_json::Value;

/// How long a client waits for anything.
const READ_TIMEOUT: Duration = Duration::from_secs(40);

/// A service with its page.
pub(crate) struct Page {
    pub(crate) service: Running,
    address: String,
    /// The token of the link that the service printed.
    token: Option<String>,
}

/// A status and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Page {
    /// Starts `drover serve` with these arguments and variables, at a port that is free.
    pub(crate) fn with(cluster: &TestCluster, args: &[&str], variables: &[(&str, &str)]) -> Self {
        let args = [&["serve", "--http", "127.0.0.1:0"], args].concat();
        let mut command = cluster.command(&args);
        command.envs(variables.iter().copied());
        let mut service = cluster.workspace.start_command(command);
        let (mut address, mut token) = (String::new(), None);
        eventually("the service said where its page is", || {
            assert!(!service.has_ended(), "it ended: {}", service.stderr());
            let said = service.stderr();
            let found = said
                .split("http://")
                .nth(1)
                .and_then(|rest| rest.split('/').next());
            found.unwrap_or_default().clone_into(&mut address);
            let link = said
                .lines()
                .find(|line| line.starts_with("the page is at http://"));
            token = link
                .and_then(|line| line.split("#token=").nth(1))
                .map(str::to_owned);
            link.is_some() && !address.is_empty()
        });
        Self {
            service,
            address,
            token,
        }
    }

    /// Starts `drover serve`.
    pub(crate) fn of(cluster: &TestCluster) -> Self {
        Self::with(cluster, &[], &[])
    }

    /// A connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the page listens");
        stream
            .set_read_timeout(Some(READ_TIMEOUT))
            .expect("a socket has a timeout");
        stream
    }

    /// The answer to a request.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            head.push_str(&self.authorization());
        }
        self.send(&[head.as_bytes(), b"\r\n", body].concat())
    }

    /// The header with the token of the link, if there is one.
    fn authorization(&self) -> String {
        let header = |token| format!("authorization: Bearer {token}\r\n");
        self.token.as_ref().map(header).unwrap_or_default()
    }

    /// The answer to raw bytes, until the other end closes.
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A refusal may come, and the connection be closed, before all is sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Answer {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok())
                .unwrap_or(0),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The JSON at a path that must exist.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, &[], b"");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// The JSON answer to a request that must be taken.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &str) -> Value {
        let json = [("content-type", "application/json")];
        let answer = self.ask("POST", path, &json, body.as_bytes());
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
        answer.json()
    }

    /// Listens to live updates.
    pub(crate) fn events(&self) -> Events {
        let mut stream = self.connect();
        let head = format!(
            "GET /api/v1/events HTTP/1.1\r\nhost: {}\r\n{}\r\n",
            self.address,
            self.authorization()
        );
        stream.write_all(head.as_bytes()).expect("the page listens");
        Events(BufReader::new(stream))
    }
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Asserts an error in the shape of the contract.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, kind: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let error = &self.json()["error"];
        assert_eq!(error["kind"], kind, "{self:?}");
        assert!(
            !error["message"].as_str().unwrap_or_default().is_empty(),
            "{self:?}"
        );
    }
}

/// A stream of events.
pub(crate) struct Events(BufReader<TcpStream>);

impl Events {
    /// Reads until an event of this kind comes whose data are as wanted.
    #[track_caller]
    pub(crate) fn until(&mut self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut is_kind = false;
        let mut line = String::new();
        while self.0.read_line(&mut line).unwrap_or(0) > 0 {
            if let Some(told) = line.strip_prefix("event: ") {
                is_kind = told.trim() == kind;
            }
            let data = line.strip_prefix("data: ").filter(|_| is_kind);
            if let Some(data) = data.and_then(|data| serde_json::from_str(data).ok())
                && wanted(&data)
            {
                return data;
            }
            line.clear();
        }
        panic!(
            "the stream ended, or nothing came for {READ_TIMEOUT:?}, before the {kind} that was wanted"
        );
    }
}
