//! Where a command that takes datum after datum asks for its next one.
//!
//! A socket in a directory that the command can reach. Who connects says a line and is answered with one: `next`, with
//! `datum` once the next one is there; `failed MESSAGE`, of the datum in hand, with `noted` at once. To give a datum up
//! is not to ask for another: so a loop around `next-datum` misses none, wherever in it one is given up.

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

/// Answers, whole.
const DATUM: &[u8] = b"datum\n";
const NOTED: &[u8] = b"noted\n";

/// Longer lines are cut.
const LONGEST_LINE: u64 = 8 * 1024;

/// How long who connects may take to say what it wants; its command waits meanwhile, and nobody else.
const HEARING: Duration = Duration::from_secs(1);

/// A socket that waits for a command to ask.
pub(super) struct Asks {
    listener: UnixListener,
}

/// What a command says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::runner) enum Word {
    /// It wants its next datum.
    Next,
    /// It has failed at the datum in hand, for this reason.
    Failed(String),
}

/// Somebody who said something and waits for an answer.
pub(super) struct Ask {
    pub(super) word: Word,
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

    /// What was just said, if whoever connected said something.
    pub(super) fn accept(&self) -> Option<Ask> {
        let (connection, _) = self.listener.accept().ok()?;
        connection.set_nonblocking(false).ok()?;
        connection.set_read_timeout(Some(HEARING)).ok()?;
        let mut line = Vec::new();
        BufReader::new((&connection).take(LONGEST_LINE))
            .read_until(b'\n', &mut line)
            .ok()?;
        Some(Ask {
            word: Word::understood(String::from_utf8_lossy(&line).trim())?,
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
    /// Says that the next datum is there; tells whether anybody still waited for it.
    pub(super) fn hand_over(mut self) -> bool {
        self.connection.write_all(DATUM).is_ok()
    }

    /// Says that it was heard.
    pub(super) fn note(mut self) {
        let _ = self.connection.write_all(NOTED); // whoever is gone has been heard all the same
    }
}

impl Word {
    fn understood(line: &str) -> Option<Self> {
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

/// Says it at the socket in `directory`, and waits for the answer.
pub(in crate::runner) fn ask(directory: &Path, word: &Word) -> io::Result<()> {
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

/// A name of the socket that is short enough for the address of one, wherever its directory lies.
fn short(directory: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn words_are_understood_and_noise_is_not() {
        let failed = |message: &str| Some(Word::Failed(message.to_owned()));
        for (line, expected) in [
            ("next", Some(Word::Next)),
            ("failed no such column", failed("no such column")),
            ("failed", failed("")),
            ("", None),
            ("GET / HTTP/1.1", None),
        ] {
            assert_eq!(Word::understood(line), expected, "{line:?}");
        }
    }

    #[test]
    fn who_asks_is_answered_and_who_does_not_wait_for_it_is_not_taken_to_have_heard() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a-name-that-is-long/".repeat(9));
        fs::create_dir_all(&deep).unwrap();
        let asks = Asks::listen(&deep).unwrap();
        assert!(asks.accept().is_none(), "nobody asked yet");
        let failed = Word::Failed("one\ntwo".to_owned());
        thread::scope(|scope| {
            let heard = || loop {
                if let Some(ask) = asks.accept() {
                    break ask;
                }
                thread::yield_now();
            };
            let telling = scope.spawn(|| ask(&deep, &failed));
            let told = heard();
            assert_eq!(told.word, Word::Failed("one two".to_owned()));
            told.note();
            telling.join().unwrap().unwrap();
            let waiting = scope.spawn(|| ask(&deep, &Word::Next));
            let question = heard();
            assert_eq!(question.word, Word::Next);
            assert!(question.hand_over());
            waiting.join().unwrap().unwrap();
        });
        let mut gone = UnixStream::connect(short(&open(&deep).unwrap())).unwrap();
        gone.write_all(b"next\n").unwrap();
        drop(gone);
        assert!(!asks.accept().unwrap().hand_over());
    }
}
