//! The socket where a batch command requests its next datum.
//!
//! The socket lies in a directory that the command can reach. A client sends a line and gets a line back: `next` is
//! answered with `datum` when the next datum is ready; `failed MESSAGE`, about the current datum, is answered with
//! `noted` at once. A failure report does not request a datum, so a loop around `next-datum` misses none.

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
    line: Vec<u8>,
    closed: bool,
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
    connection: UnixStream,
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
                });
            }
        }
        let excess = self.clients.len().saturating_sub(MAX_CLIENTS);
        self.clients.drain(..excess);
        for client in &mut self.clients {
            client.read();
        }
        while let Some(place) = self.clients.iter().position(Client::is_complete) {
            let client = self.clients.remove(place)?;
            let line = String::from_utf8_lossy(client.line.split(|&byte| byte == b'\n').next()?)
                .trim()
                .to_owned();
            if let Some(message) = NextDatumMessage::parse(&line) {
                return Some(NextDatumRequest {
                    message,
                    connection: client.connection,
                });
            }
        }
        None
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

    fn is_complete(&self) -> bool {
        self.closed || self.line.len() >= LONGEST_LINE || self.line.contains(&b'\n')
    }
}

impl NextDatumRequest {
    /// Sends the answer that the next datum is ready; false if the client has gone.
    pub(in crate::runner) fn deliver(mut self) -> bool {
        self.connection.write_all(DATUM).is_ok()
    }

    /// Sends the answer that the failure was noted.
    pub(in crate::runner) fn acknowledge(mut self) {
        let _ = self.connection.write_all(NOTED); // whoever is gone has been accept all the same
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

    #[test]
    fn a_client_is_answered_and_an_exited_client_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a-name-that-is-long/".repeat(9));
        fs::create_dir_all(&deep).unwrap();
        let mut next_datum_socket = NextDatumSocket::listen(&deep).unwrap();
        assert!(next_datum_socket.receive().is_none(), "nobody asked yet");
        let failed = NextDatumMessage::Failed("one\ntwo".to_owned());
        thread::scope(|scope| {
            let mut accept = || loop {
                if let Some(request) = next_datum_socket.receive() {
                    break request;
                }
                thread::yield_now();
            };
            let telling = scope.spawn(|| send(&deep, &failed));
            let execution_of = accept();
            assert_eq!(
                execution_of.message,
                NextDatumMessage::Failed("one two".to_owned())
            );
            execution_of.acknowledge();
            telling.join().unwrap().unwrap();
            let waiting = scope.spawn(|| send(&deep, &NextDatumMessage::Next));
            let request = accept();
            assert_eq!(request.message, NextDatumMessage::Next);
            assert!(request.deliver());
            waiting.join().unwrap().unwrap();
        });
        let mut gone = UnixStream::connect(short(&open(&deep).unwrap())).unwrap();
        gone.write_all(b"next\n").unwrap();
        drop(gone);
        assert!(!next_datum_socket.receive().unwrap().deliver());
    }
}
