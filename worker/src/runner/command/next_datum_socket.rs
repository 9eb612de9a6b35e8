//! The socket where a batch command requests its next datum.
//!
//! The socket lies in a directory that the command can reach. A client sends a line and gets a line back: `next` is
//! answered with `datum` when the next datum is ready; `failed MESSAGE`, about the current datum, is answered with
//! `noted` at once. A failure report does not request a datum, so a loop around `next-datum` misses none.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};

const SOCKET: &str = "ask";

/// Complete answers.
const DATUM: &[u8] = b"datum\n";
const NOTED: &[u8] = b"noted\n";

/// Longer lines are cut.
const LONGEST_LINE: u64 = 8 * 1024;

/// How long a client may take to send its line.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

/// A socket for requests of a batch command.
pub(super) struct NextDatumSocket {
    listener: UnixListener,
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
pub(super) struct NextDatumRequest {
    pub(super) word: NextDatumMessage,
    connection: UnixStream,
}

impl NextDatumSocket {
    /// Listens in `directory`, for all users.
    pub(super) fn listen(directory: &Path) -> io::Result<Self> {
        let opened = open(directory)?;
        let socket = short(&opened);
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// Accepts a connection and reads its message; `None` without a valid message.
    pub(super) fn accept(&self) -> Option<NextDatumRequest> {
        let (connection, _) = self.listener.accept().ok()?;
        connection.set_nonblocking(false).ok()?;
        connection.set_read_timeout(Some(READ_TIMEOUT)).ok()?;
        let mut line = Vec::new();
        BufReader::new((&connection).take(LONGEST_LINE))
            .read_until(b'\n', &mut line)
            .ok()?;
        Some(NextDatumRequest {
            word: NextDatumMessage::parse(String::from_utf8_lossy(&line).trim())?,
            connection,
        })
    }
}

impl AsFd for NextDatumSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl NextDatumRequest {
    /// Sends the answer that the next datum is ready; false if the client has gone.
    pub(super) fn deliver(mut self) -> bool {
        self.connection.write_all(DATUM).is_ok()
    }

    /// Sends the answer that the failure was noted.
    pub(super) fn acknowledge(mut self) {
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
        let next_datum_socket = NextDatumSocket::listen(&deep).unwrap();
        assert!(next_datum_socket.accept().is_none(), "nobody asked yet");
        let failed = NextDatumMessage::Failed("one\ntwo".to_owned());
        thread::scope(|scope| {
            let accept = || loop {
                if let Some(request) = next_datum_socket.accept() {
                    break request;
                }
                thread::yield_now();
            };
            let telling = scope.spawn(|| send(&deep, &failed));
            let execution_of = accept();
            assert_eq!(
                execution_of.word,
                NextDatumMessage::Failed("one two".to_owned())
            );
            execution_of.acknowledge();
            telling.join().unwrap().unwrap();
            let waiting = scope.spawn(|| send(&deep, &NextDatumMessage::Next));
            let request = accept();
            assert_eq!(request.word, NextDatumMessage::Next);
            assert!(request.deliver());
            waiting.join().unwrap().unwrap();
        });
        let mut gone = UnixStream::connect(short(&open(&deep).unwrap())).unwrap();
        gone.write_all(b"next\n").unwrap();
        drop(gone);
        assert!(!next_datum_socket.accept().unwrap().deliver());
    }
}
