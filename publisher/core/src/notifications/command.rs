//! Runs the command of a receiver, with the event in its environment and on its standard input.

use std::pin::pin;
use std::process::Stdio;
use std::time::Duration;

use drover_shared::job::JobRecord;
use futures::future::join;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

use super::cloud_event::EventView;
use super::decide::TryOutcome;

/// Variables that a command receives from the current process; others may hold credentials.
const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/// Bytes of the standard error that are kept.
const KEPT: usize = 4096;
/// How long the end of the standard error is waited for; a process in the background may hold it open.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

#[expect(
    clippy::disallowed_methods,
    reason = "the variables are the command's, not settings"
)]
pub(super) async fn run(
    command: &[String],
    event: &EventView,
    body: Vec<u8>,
    limit: Duration,
) -> TryOutcome {
    let Some((program, arguments)) = command.split_first() else {
        return TryOutcome::Hopeless("the command is empty".to_owned());
    };
    let inherited = INHERITED
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut builder = Command::new(program);
    builder
        .args(arguments)
        .env_clear()
        .envs(inherited)
        .envs(environment(event))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    match builder.spawn() {
        Ok(child) => ended(program, child, body, limit).await,
        Err(error) => TryOutcome::Failed(format!("{program} cannot be started: {error}")),
    }
}

/// The variables of an event. Their names are a contract (`docs/operations.md`).
fn environment(event: &EventView) -> [(&'static str, String); 6] {
    let of_job = |what: fn(&JobRecord) -> String| event.job.as_ref().map(what).unwrap_or_default();
    [
        ("DROVER_EVENT", event.event.name().to_owned()),
        ("DROVER_EVENT_ID", event.id.clone()),
        ("DROVER_PIPELINE", event.pipeline.to_string()),
        ("DROVER_JOB", of_job(|job| job.id.to_string())),
        ("DROVER_STATE", of_job(|job| job.state.to_string())),
        (
            "DROVER_WHY",
            // A variable cannot hold the character.
            event.why.clone().unwrap_or_default().replace('\0', ""),
        ),
    ]
}

/// Waits for the end of the command; at the limit its process group is killed.
async fn ended(program: &str, mut child: Child, body: Vec<u8>, limit: Duration) -> TryOutcome {
    let group = child.id();
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let mut talking = pin!(async { join(feed(stdin, body), tail(stderr)).await.1 });
    let mut tail = None;
    let waiting = async {
        loop {
            tokio::select! {
                status = child.wait() => return status,
                text = &mut talking, if tail.is_none() => tail = Some(text),
            }
        }
    };
    let waited = timeout(limit, waiting).await;
    if waited.is_err() {
        kill(group);
        let _ = child.wait().await;
    }
    let tail = match tail {
        Some(tail) => tail,
        None => timeout(DRAIN_LIMIT, talking).await.unwrap_or_default(),
    };
    match waited {
        Err(_) => TryOutcome::Failed(format!("{program} was still running after {limit:.0?}")),
        Ok(Err(error)) => TryOutcome::Failed(format!("{program}: {error}")),
        Ok(Ok(status)) if status.success() => TryOutcome::Delivered,
        Ok(Ok(status)) => {
            let last = tail.lines().rfind(|line| !line.trim().is_empty());
            let last = last.map_or_else(String::new, |line| format!(": {}", line.trim()));
            TryOutcome::Failed(format!("{program} ended with {status}{last}"))
        }
    }
}

/// Writes the event; the command need not read it.
async fn feed(stdin: Option<ChildStdin>, body: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(&body).await;
    }
}

/// Kills the processes of a group.
fn kill(group: Option<u32>) {
    let group = group.and_then(|id| i32::try_from(id).ok());
    if let Some(group) = group.and_then(Pid::from_raw) {
        // The group may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The last bytes of a stream, as text.
async fn tail(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut kept = Vec::new();
    let mut part = [0; KEPT];
    let Some(mut stream) = stream else {
        return String::new();
    };
    while let Ok(count @ 1..) = stream.read(&mut part).await {
        kept.extend_from_slice(&part[..count]);
        let excess = kept.len().saturating_sub(KEPT);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
