//! The socket where a batch command requests its next datum.
//!
//! The socket lies in a directory that the command can reach. A client sends a line and gets a line back: `next` is
//! answered with `datum` when the next datum is ready; `failed MESSAGE`, about the current datum, is answered with
//! `noted` at once. A failure report does not request a datum, so a loop around `next-datum` misses none.
//!
//! The connection is closed after the answer, unless the client sent the line `stay` before. Then the client may send further
//! lines, each after the answer to the line before.

use std::collections::VecDeque;
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};

const SOCKET: &str = "ask";

/// Complete answers.
const DATUM: &[u8] = b"datum\n";
const NOTED: &[u8] = b"noted\n";

/// Longer lines are cut.
const LONGEST_LINE: usize = 8 * 1024;

/// Limit of clients with an incomplete line; beyond the limit the oldest client is disconnected.
const MAX_CLIENTS: usize = 64;

/// A socket for requests of a batch command.
pub(in crate::runner) struct NextDatumSocket {
    listener: UnixListener,
    /// Clients that have not sent a complete line yet.
    clients: VecDeque<Client>,
}

/// A client that is sending its line.
struct Client {
    connection: UnixStream,
    /// Bytes read and not taken yet.
    line: Vec<u8>,
    closed: bool,
    /// True if the connection outlives an answer.
    stays: bool,
}

/// A line of a client.
enum ClientLine {
    Message(NextDatumMessage),
    Stay,
    /// Any other line, and the end of the connection.
    Noise,
}

/// A message of a batch command.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::runner) enum NextDatumMessage {
    /// Request for the next datum.
    Next,
    /// Failure of the current datum, with the reason.
    Failed(String),
}

/// A client that sent a message and waits for the answer.
pub(in crate::runner) struct NextDatumRequest {
    pub(in crate::runner) message: NextDatumMessage,
    client: Client,
}

impl NextDatumSocket {
    /// Listens in `directory`, for all users.
    pub(in crate::runner) fn listen(directory: &Path) -> io::Result<Self> {
        let opened = open(directory)?;
        let socket = short(&opened);
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener,
            clients: VecDeque::new(),
        })
    }

    /// The next message of a client, if one is complete. Never blocks.
    pub(in crate::runner) fn receive(&mut self) -> Option<NextDatumRequest> {
        while let Ok((connection, _)) = self.listener.accept() {
            if connection.set_nonblocking(true).is_ok() {
                self.clients.push_back(Client {
                    connection,
                    line: Vec::new(),
                    closed: false,
                    stays: false,
                });
            }
        }
        let excess = self.clients.len().saturating_sub(MAX_CLIENTS);
        self.clients.drain(..excess);
        for client in &mut self.clients {
            client.read();
        }
        while let Some(place) = self.clients.iter().position(Client::is_complete) {
            let mut client = self.clients.remove(place)?;
            match client.take_line() {
                ClientLine::Message(message) => return Some(NextDatumRequest { message, client }),
                ClientLine::Stay => {
                    client.stays = true;
                    client.read();
                    self.clients.push_back(client);
                }
                ClientLine::Noise => {}
            }
        }
        None
    }

    /// Answers a client; false if the client has gone. A client that stays may go on.
    fn answer(&mut self, mut client: Client, answer: &[u8]) -> bool {
        let is_there = client.connection.write_all(answer).is_ok();
        if is_there && client.stays {
            self.clients.push_back(client);
        }
        is_there
    }

    /// Descriptors to poll before the next call of [`receive`](Self::receive).
    pub(in crate::runner) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let clients = self.clients.iter().map(|client| client.connection.as_fd());
        std::iter::once(self.listener.as_fd()).chain(clients)
    }
}

impl Client {
    /// Reads what the client has sent, without waiting.
    fn read(&mut self) {
        let mut buffer = [0; 1024];
        while !self.is_complete() {
            match self.connection.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(length) => self.line.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.closed = true,
            }
        }
    }

    /// Takes the first line from the read bytes.
    fn take_line(&mut self) -> ClientLine {
        let end = self.line.iter().position(|&byte| byte == b'\n');
        let length = end.map_or(self.line.len(), |end| end + 1);
        let line: Vec<u8> = self.line.drain(..length).collect();
        let line = String::from_utf8_lossy(&line);
        match line.trim() {
            "stay" => ClientLine::Stay,
            line => NextDatumMessage::parse(line).map_or(ClientLine::Noise, ClientLine::Message),
        }
    }

    fn is_complete(&self) -> bool {
        self.closed || self.line.len() >= LONGEST_LINE || self.line.contains(&b'\n')
    }
}

impl NextDatumRequest {
    /// Sends the answer that the next datum is ready; false if the client has gone.
    pub(in crate::runner) fn deliver(self, socket: &mut NextDatumSocket) -> bool {
        socket.answer(self.client, DATUM)
    }

    /// Confirms a failure. A missing client has been heard all the same.
    pub(in crate::runner) fn acknowledge(self, socket: &mut NextDatumSocket) {
        socket.answer(self.client, NOTED);
    }
}

impl NextDatumMessage {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("next", _) => Some(Self::Next),
            ("failed", message) => Some(Self::Failed(message.trim().to_owned())),
            _ => None,
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Next => "next\n".to_owned(),
            Self::Failed(message) => format!("failed {}\n", message.replace('\n', " ")),
        }
    }
}

/// Sends the message to the socket in `directory` and waits for the answer.
pub(in crate::runner) fn send(directory: &Path, word: &NextDatumMessage) -> io::Result<()> {
    let mut connection = UnixStream::connect(short(&open(directory)?))?;
    connection.write_all(word.line().as_bytes())?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    if answer == DATUM || answer == NOTED {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn open(directory: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, directory, flags, Mode::empty())?)
}

/// A path of the socket that fits into a socket address, wherever its directory lies.
fn short(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn messages_are_parsed_and_noise_is_refused() {
        let failed = |message: &str| Some(NextDatumMessage::Failed(message.to_owned()));
        for (line, expected) in [
            ("next", Some(NextDatumMessage::Next)),
            ("failed no such column", failed("no such column")),
            ("failed", failed("")),
            ("", None),
            ("GET / HTTP/1.1", None),
        ] {
            assert_eq!(NextDatumMessage::parse(line), expected, "{line:?}");
        }
    }

    fn accept(socket: &mut NextDatumSocket) -> NextDatumRequest {
        loop {
            if let Some(request) = socket.receive() {
                return request;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn a_client_is_answered_and_an_exited_client_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a-name-that-is-long/".repeat(9));
        fs::create_dir_all(&deep).unwrap();
        let mut next_datum_socket = NextDatumSocket::listen(&deep).unwrap();
        assert!(next_datum_socket.receive().is_none(), "nobody asked yet");
        let failed = NextDatumMessage::Failed("one\ntwo".to_owned());
        thread::scope(|scope| {
            let telling = scope.spawn(|| send(&deep, &failed));
            let execution_of = accept(&mut next_datum_socket);
            assert_eq!(
                execution_of.message,
                NextDatumMessage::Failed("one two".to_owned())
            );
            execution_of.acknowledge(&mut next_datum_socket);
            telling.join().unwrap().unwrap();
            let waiting = scope.spawn(|| send(&deep, &NextDatumMessage::Next));
            let request = accept(&mut next_datum_socket);
            assert_eq!(request.message, NextDatumMessage::Next);
            assert!(request.deliver(&mut next_datum_socket));
            waiting.join().unwrap().unwrap();
        });
        let mut gone = UnixStream::connect(short(&open(&deep).unwrap())).unwrap();
        gone.write_all(b"next\n").unwrap();
        drop(gone);
        let request = next_datum_socket.receive().unwrap();
        assert!(!request.deliver(&mut next_datum_socket));
    }

    #[test]
    fn a_client_that_stays_asks_for_datum_after_datum_on_one_connection() {
        let folder = tempfile::tempdir().unwrap();
        let mut socket = NextDatumSocket::listen(folder.path()).unwrap();
        let opened = open(folder.path()).unwrap();
        let mut client = UnixStream::connect(short(&opened)).unwrap();
        let mut answer = [0; 6];
        client.write_all(b"stay\nnext\n").unwrap();
        for _ in 0..3 {
            let request = socket.receive().unwrap();
            assert_eq!(request.message, NextDatumMessage::Next);
            assert!(socket.receive().is_none(), "one line at a time");
            assert!(request.deliver(&mut socket));
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer[..], *DATUM);
            client.write_all(b"failed no\nnext\n").unwrap();
            let request = socket.receive().unwrap();
            assert_eq!(request.message, NextDatumMessage::Failed("no".to_owned()));
            request.acknowledge(&mut socket);
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer[..], *NOTED);
        }
        drop(client);
        let request = socket.receive().unwrap();
        assert!(!request.deliver(&mut socket), "the client has gone");
        assert!(socket.receive().is_none() && socket.clients.is_empty());
    }
}
