//! Messages between server and spawner: frames on a stream socket, with descriptors attached to their first byte.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::runner::execution::EndedProcesses;
use crate::runner::frame;
use crate::runner::protection::Protection;
use crate::runner::settings::{CommandLimits, Sandbox};

/// Most descriptors of a message: stdout, stderr, stdin.
const MAX_DESCRIPTORS: usize = 3;

/// Server to spawner.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SpawnerRequest<'a> {
    /// The first message, sent once.
    Restrict(Cow<'a, Restrictions>),
    /// Start a command; stdout, stderr and, if any, stdin are attached.
    Start(CommandSpec<'a>),
    /// Signal the process group of the command.
    Signal(i32),
    /// Kill the command and all its descendants.
    Kill,
}

/// Spawner to server.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SpawnerResponse {
    /// Answer to `Restrict`.
    Ready(Protection),
    /// Answer to `Restrict`: a restriction failed, for the reason.
    Refused(String),
    /// Answer to `Start`.
    Started,
    /// Answer to `Start`: the error number of the failed start.
    Failed(i32),
    /// The command ended with this wait status, and none of its descendants is left.
    Exited(i32, EndedProcesses),
    /// The command ended, but some descendants do not exit after SIGKILL.
    Stuck(String),
}

/// The restrictions of the commands of a slot.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::runner) struct Restrictions {
    pub(in crate::runner) sandbox: Sandbox,
    /// True if commands keep all capabilities and may mount.
    pub(in crate::runner) privileged: bool,
    pub(in crate::runner) limits: CommandLimits,
    /// True if a control group limits the number of processes.
    pub(in crate::runner) processes_limited: bool,
    /// Directories that commands must not reach.
    pub(in crate::runner) hidden: Vec<PathBuf>,
    /// Directories inside hidden directories that commands use.
    pub(in crate::runner) own: Vec<PathBuf>,
}

/// A command to start.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::runner) struct CommandSpec<'a> {
    pub(in crate::runner) program: PathBuf,
    /// The command's argv.
    pub(in crate::runner) argv: Cow<'a, [String]>,
    /// Variables of many commands.
    pub(in crate::runner) base: Cow<'a, BTreeMap<String, String>>,
    /// Variables of the command, set over `base`.
    pub(in crate::runner) env: Cow<'a, BTreeMap<String, String>>,
    /// Working directory; `None` keeps the spawner's.
    pub(in crate::runner) working_dir: Option<PathBuf>,
    /// User and group; `None` keeps the spawner's.
    pub(in crate::runner) identity: Option<(u32, u32)>,
    /// True if a new datum begins.
    pub(in crate::runner) fresh: bool,
}

/// Sends a message with descriptors.
pub(super) fn send(
    mut socket: &UnixStream,
    message: &impl Serialize,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = frame::pack(message)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut attached = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        attached.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = rustix::io::retry_on_intr(|| {
        let data = [IoSlice::new(&bytes)];
        sendmsg(socket, &data, &mut attached, SendFlags::NOSIGNAL)
    })?;
    socket.write_all(&bytes[sent..])
}

/// Receives the next message with its descriptors; `None` at the end of the stream.
pub(super) fn receive<T: DeserializeOwned>(
    mut socket: &UnixStream,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let mut first = [0; 1];
    let received = rustix::io::retry_on_intr(|| {
        let mut data = [IoSliceMut::new(&mut first)];
        recvmsg(socket, &mut data, &mut attached, RecvFlags::CMSG_CLOEXEC)
    });
    match received {
        Ok(received) if received.bytes > 0 => {}
        Ok(_) | Err(rustix::io::Errno::CONNRESET) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut descriptors = Vec::new();
    for message in attached.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            descriptors.extend(received);
        }
    }
    let mut stream = first.chain(&mut socket);
    Ok(frame::read(&mut stream)?.map(|message| (message, descriptors)))
}
