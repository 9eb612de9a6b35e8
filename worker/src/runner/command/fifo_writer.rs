//! Writes the bytes of inputs into FIFOs, for each reader, as often as a FIFO is opened.
//!
//! A FIFO is armed by holding both ends open, so opening it for reading never blocks; inotify reports readers.
//! The runner opens a second name outside `/pfs`, because opening the visible name would be reported as a reader.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::runner::filesystem::Fifo;

/// Size of a transfer: the capacity of a FIFO.
const CHUNK: usize = 64 * 1024;

/// Buffer size for events of long names.
const EVENTS: usize = 16 * 1024;

/// The FIFOs of an attempt.
pub(super) struct FifoWriter {
    inotify: OwnedFd,
    fifos: Vec<ServedFifo>,
    places: HashMap<(i32, OsString), usize>,
    /// Indexes of FIFOs that are being filled.
    active: Vec<usize>,
    limit: Option<Rlimit>,
}

struct ServedFifo {
    fifo: Fifo,
    state: State,
}

enum State {
    /// Held open for the next reader.
    Armed(OwnedFd),
    /// A reader is being served.
    Filling { pipe: OwnedFd, source: File },
    /// All bytes are in the pipe, and the runner closed its end. The FIFO is armed again when the reader closes its
    /// end.
    Filled,
}

impl FifoWriter {
    /// Arms the FIFOs; `None` without FIFOs. Readers that opened a FIFO earlier are served as well.
    pub(super) fn arm(fifos: Vec<Fifo>) -> io::Result<Option<Self>> {
        if fifos.is_empty() {
            return Ok(None);
        }
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let limit = Some(raise_file_limit()?);
        let mut fifo_writer = Self {
            inotify,
            fifos: Vec::new(),
            places: HashMap::new(),
            active: Vec::new(),
            limit,
        };
        let mut watches = HashMap::new();
        for fifo in fifos {
            fifo_writer.add(fifo, &mut watches)?;
        }
        Ok(Some(fifo_writer))
    }

    fn add(&mut self, fifo: Fifo, watches: &mut HashMap<PathBuf, i32>) -> io::Result<()> {
        let (Some(directory), Some(name)) = (fifo.seen_at.parent(), fifo.seen_at.file_name())
        else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if !watches.contains_key(directory) {
            let flags = WatchFlags::OPEN | WatchFlags::CLOSE_NOWRITE;
            let watch = inotify::add_watch(&self.inotify, directory, flags)?;
            watches.insert(directory.to_owned(), watch);
        }
        let watch = watches[directory];
        self.places
            .insert((watch, name.to_owned()), self.fifos.len());
        // The watch must exist first: the open call of a waiting reader succeeds now and is reported.
        self.fifos.push(ServedFifo {
            state: State::Armed(hold(&fifo.hidden_at)?),
            fifo,
        });
        Ok(())
    }

    /// The descriptors to poll: the inotify instance, and the FIFOs that can take more data.
    pub(super) fn descriptors(&self) -> (BorrowedFd<'_>, impl Iterator<Item = BorrowedFd<'_>>) {
        let filling = self
            .active
            .iter()
            .filter_map(|&index| match &self.fifos[index].state {
                State::Filling { pipe, .. } => Some(pipe.as_fd()),
                State::Armed(_) | State::Filled => None,
            });
        (self.inotify.as_fd(), filling)
    }

    /// Handles new readers, then fills FIFOs. The error names the input that could not be read.
    pub(super) fn feed(&mut self) -> Result<(), String> {
        self.handle_events()?;
        let mut active = std::mem::take(&mut self.active);
        for &index in &active {
            self.fifos[index]
                .fill()
                .map_err(|error| self.fifos[index].lost(&error))?;
        }
        active.retain(|&index| matches!(self.fifos[index].state, State::Filling { .. }));
        self.active = active;
        Ok(())
    }

    /// Handles inotify events.
    fn handle_events(&mut self) -> Result<(), String> {
        let mut events = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); EVENTS];
        let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
        while let Ok(event) = reader.next() {
            let name = event
                .file_name()
                .map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
            events.extend(name.map(|name| ((event.wd(), name), event.events())));
        }
        for (place, what) in events {
            if let Some(&index) = self.places.get(&place) {
                self.turn(index, what)
                    .map_err(|error| self.fifos[index].lost(&error))?;
            }
        }
        Ok(())
    }

    fn turn(&mut self, index: usize, what: ReadFlags) -> io::Result<()> {
        let feed = &mut self.fifos[index];
        if what.contains(ReadFlags::CLOSE_NOWRITE) && !matches!(feed.state, State::Armed(_)) {
            feed.state = State::Filled; // first closes the pipe, so that what nobody read is gone
            feed.state = State::Armed(hold(&feed.fifo.hidden_at)?);
            self.active.retain(|&other| other != index);
        }
        if what.contains(ReadFlags::OPEN) && feed.open()? {
            self.active.push(index);
        }
        Ok(())
    }
}

impl Drop for FifoWriter {
    fn drop(&mut self) {
        self.fifos.clear();
        if let Some(limit) = self.limit.take() {
            let _ = setrlimit(Resource::Nofile, limit);
        }
    }
}

impl ServedFifo {
    /// Starts to fill the FIFO, unless it is being filled already.
    fn open(&mut self) -> io::Result<bool> {
        if !matches!(self.state, State::Armed(_)) {
            return Ok(false);
        }
        let source = File::open(&self.fifo.source)?;
        if let State::Armed(pipe) = std::mem::replace(&mut self.state, State::Filled) {
            self.state = State::Filling { pipe, source };
        }
        Ok(true)
    }

    /// Writes as many bytes as fit.
    fn fill(&mut self) -> io::Result<()> {
        let State::Filling { pipe, source } = &self.state else {
            return Ok(());
        };
        loop {
            match splice(source, None, pipe, None, CHUNK, SpliceFlags::NONBLOCK) {
                Ok(0) => {
                    self.state = State::Filled;
                    return Ok(());
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn lost(&self, error: &io::Error) -> String {
        format!(
            "input {} cannot be read: {error}",
            self.fifo.source.display()
        )
    }
}

/// Opens both ends of a FIFO.
fn hold(fifo: &Path) -> io::Result<OwnedFd> {
    Ok(openat(
        CWD,
        fifo,
        OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// Raises the limit of open files to the maximum; returns the previous limit, for commands.
fn raise_file_limit() -> io::Result<Rlimit> {
    let before = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: before.maximum,
            ..before
        },
    )?;
    Ok(before)
}
