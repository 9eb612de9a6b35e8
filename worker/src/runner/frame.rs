//! Messages on the pipes between worker and runner: a length, then JSON.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Execution, Order, Protection, RunnerSettings};

/// Longer frames are refused; a datum with a million inputs fits.
const LARGEST: u32 = 512 << 20;

/// Messages from the worker to the runner.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunnerRequest<'a> {
    /// The first message, sent once.
    Setup(Cow<'a, RunnerSettings>),
    /// The [base](Order::base) of the following orders; empty at first.
    Base(Cow<'a, BTreeMap<String, String>>),
    /// Run a command.
    Run(Cow<'a, Order>),
    /// End the running command: TERM, grace, KILL. Ignored when no command runs.
    Cancel,
    /// End the running command at once. Ignored when no command runs.
    Kill,
}

/// Messages from the runner to the worker.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RunnerResponse {
    /// Answer to `Setup`: the sandbox is ready.
    Ready {
        /// Path of the inputs and `out`, as the command sees it.
        pfs: PathBuf,
        /// Path of the private temporary directory, as the command sees it.
        tmp: PathBuf,
        /// The protection in force.
        protection: Protection,
        /// Entries of `tmp` that belong to the machine.
        kept: Vec<PathBuf>,
        /// The directories of the slot's control group.
        group: Vec<PathBuf>,
    },
    /// Answer to `Setup`: the sandbox cannot be set up, for the reason.
    Refused(String),
    /// Answer to `Run`.
    Ended(Box<Execution>),
    /// Last answer to `Run`: no command ran because the slot is unfit, for the reason.
    Unfit(String),
}

pub(super) fn pack(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size_of::<u32>()];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - size_of::<u32>()).unwrap_or(u32::MAX);
    check(length)?;
    bytes[..size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

fn check(length: u32) -> io::Result<usize> {
    if length > LARGEST {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("frame of {length} bytes"),
        ));
    }
    Ok(length as usize)
}

fn parse<T: DeserializeOwned>(body: &[u8], length: usize) -> io::Result<Option<T>> {
    if body.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(body)?))
}

/// Reads the next frame; `None` at the end of the stream.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; size_of::<u32>()];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = check(u32::from_le_bytes(length))?;
    // The buffer grows with what arrives: a length alone costs nothing.
    let mut body = Vec::new();
    from.take(length as u64).read_to_end(&mut body)?;
    parse(&body, length)
}

/// Writes a frame.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&pack(message)?)?;
    to.flush()
}

/// Reads the next frame; `None` at the end of the stream.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<T>> {
    let mut length = [0; size_of::<u32>()];
    match from.read_exact(&mut length).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    let length = check(u32::from_le_bytes(length))?;
    let mut body = Vec::new();
    from.take(length as u64).read_to_end(&mut body).await?;
    parse(&body, length)
}

/// Writes a frame.
pub(super) async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> io::Result<()> {
    to.write_all(&pack(message)?).await
}

#[cfg(test)]
mod fuzz {
    use std::sync::Arc;
    use std::time::Duration;

    use drover_shared::testing::fuzz;

    use super::*;
    use crate::runner::{Inputs, Mount, MountKind};

    fn order() -> Order {
        let mount = Mount {
            source: "/store/in/file".into(),
            target: "in/file".into(),
            kind: MountKind::File,
        };
        Order {
            inputs: Inputs::Fresh(vec![mount]),
            argv: vec!["cp".to_owned(), "/pfs/in/file".to_owned()],
            base: Arc::default(),
            env: BTreeMap::from([("NAME".to_owned(), "value".to_owned())]),
            stdin: Some("/store/stdin".into()),
            user: Some("nobody".to_owned()),
            working_dir: None,
            timeout: Some(Duration::from_secs(9)),
            grace: Duration::ZERO,
            batch: None,
            memory_limit: None,
            log: "/scratch/log".into(),
        }
    }

    /// Frames of every kind, as the worker and the runner write them.
    fn seeds() -> Vec<Vec<u8>> {
        let settings = RunnerSettings::new("/scratch");
        let variables = BTreeMap::from([("NAME".to_owned(), "value".to_owned())]);
        let requests = [
            RunnerRequest::Setup(Cow::Owned(settings)),
            RunnerRequest::Base(Cow::Owned(variables)),
            RunnerRequest::Run(Cow::Owned(order())),
            RunnerRequest::Cancel,
        ];
        let responses = [
            RunnerResponse::Refused("no mounts".to_owned()),
            RunnerResponse::Unfit("no space".to_owned()),
        ];
        let requests = requests.iter().map(|request| pack(request).unwrap());
        let responses = responses.iter().map(|response| pack(response).unwrap());
        requests.chain(responses).collect()
    }

    /// Reads frames to the end of the input, or to the first that is none.
    fn frames<T: DeserializeOwned>(mut input: &[u8]) -> usize {
        let mut frames = 0;
        while let Ok(Some(_)) = read::<T>(&mut input) {
            frames += 1;
        }
        frames
    }

    #[test]
    fn frames_of_whatever_content_are_read_or_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap();
        fuzz(&seeds(), move |input| {
            frames::<RunnerRequest<'_>>(input);
            let responses = frames::<RunnerResponse>(input);
            let received = runtime.block_on(async {
                let (mut rest, mut received) = (input, 0);
                while let Ok(Some(_)) = receive::<RunnerResponse>(&mut rest).await {
                    received += 1;
                }
                received
            });
            assert_eq!(received, responses, "both readers agree");
        });
    }
}
