//! Where a command that takes datum after datum asks for its next one.
//!
//! A socket in a directory that the command can reach. Who asks connects, says in a line how the datum in hand went, and
//! is answered in a line when the next one is there:
//!
//! ```text
//! next\n              or  failed MESSAGE\n          →
//!                                                   ←  datum\n
//! ```

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};

/// The socket's name.
const SOCKET: &str = "ask";

/// The whole answer.
const ANSWER: &[u8] = b"datum\n";

/// Longer lines are cut.
const LONGEST_LINE: u64 = 8 * 1024;

/// How long who connects may take to say what it wants; its command waits meanwhile, and nobody else.
const HEARING: Duration = Duration::from_secs(1);

/// A socket that waits for a command to ask.
pub(super) struct Asks {
    listener: UnixListener,
}

/// A command's question for its next datum, to be answered once it is there.
pub(super) struct Ask {
    /// How the datum in hand went; what it failed of.
    pub(super) done: Result<(), String>,
    connection: UnixStream,
}

impl Asks {
    /// Listens in `directory`, for whoever can reach it.
    pub(super) fn listen(directory: &Path) -> io::Result<Self> {
        let opened = open(directory)?;
        let socket = short(&opened);
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o666))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// The question that was just asked, if whoever connected asked one.
    pub(super) fn accept(&self) -> Option<Ask> {
        let (connection, _) = self.listener.accept().ok()?;
        connection.set_nonblocking(false).ok()?;
        connection.set_read_timeout(Some(HEARING)).ok()?;
        let mut line = Vec::new();
        BufReader::new((&connection).take(LONGEST_LINE))
            .read_until(b'\n', &mut line)
            .ok()?;
        Some(Ask {
            done: understand(String::from_utf8_lossy(&line).trim())?,
            connection,
        })
    }
}

impl AsFd for Asks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Ask {
    /// Says that the datum is there; tells whether anybody still waited for it.
    pub(super) fn answer(mut self) -> bool {
        self.connection.write_all(ANSWER).is_ok()
    }
}

/// Asks at the socket in `directory`, once the datum in hand is done or has failed of something, and waits for the next.
pub(in crate::runner) fn ask(directory: &Path, done: Result<(), String>) -> io::Result<()> {
    let mut connection = UnixStream::connect(short(&open(directory)?))?;
    let line = match done {
        Ok(()) => "next\n".to_owned(),
        Err(message) => format!("failed {}\n", message.replace('\n', " ")),
    };
    connection.write_all(line.as_bytes())?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    if answer == ANSWER {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn understand(line: &str) -> Option<Result<(), String>> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("next", _) => Some(Ok(())),
        ("failed", message) => Some(Err(message.trim().to_owned())),
        _ => None,
    }
}

fn open(directory: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, directory, flags, Mode::empty())?)
}

/// A name of the socket that is short enough for the address of one, wherever its directory lies.
fn short(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn questions_are_understood_and_noise_is_not() {
        for (line, expected) in [
            ("next", Some(Ok(()))),
            ("failed no such column", Some(Err("no such column".into()))),
            ("failed", Some(Err(String::new()))),
            ("", None),
            ("GET / HTTP/1.1", None),
        ] {
            assert_eq!(understand(line), expected, "{line:?}");
        }
    }

    #[test]
    fn who_asks_is_answered_and_who_does_not_wait_for_it_is_not_taken_to_have_heard() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a-name-that-is-long/".repeat(9));
        fs::create_dir_all(&deep).unwrap();
        let asks = Asks::listen(&deep).unwrap();
        assert!(asks.accept().is_none(), "nobody asked yet");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(&deep, Err("one\ntwo".into())));
            let question = loop {
                if let Some(question) = asks.accept() {
                    break question;
                }
                thread::yield_now();
            };
            assert_eq!(question.done, Err("one two".into()));
            assert!(question.answer());
            waiting.join().unwrap().unwrap();
        });
        let mut gone = UnixStream::connect(short(&open(&deep).unwrap())).unwrap();
        gone.write_all(b"next\n").unwrap();
        drop(gone);
        assert!(!asks.accept().unwrap().answer());
    }
}
