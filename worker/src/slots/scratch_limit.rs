//! The limit of the disk space that a datum may fill in scratch: looks at the files of a running command now and then.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Shortest time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A look may take this part of a CPU, as a divisor.
const SHARE: u32 = 100;

/// Bytes of a block, as the status of a file counts them.
const BLOCK: u64 = 512;

/// Waits for the `run` of a command. Once the files in its `directories` take more than `limit` bytes of disk, the command is ended by
/// `kill`, and their size is returned, too.
pub(super) async fn within_limit<T>(
    run: impl Future<Output = T>,
    directories: Vec<PathBuf>,
    limit: Option<u64>,
    kill: &CancellationToken,
) -> (T, Option<u64>) {
    let mut run = pin!(run);
    let bytes = tokio::select! {
        biased;
        done = &mut run => return (done, None),
        bytes = beyond(directories, limit) => bytes,
    };
    kill.cancel();
    (run.await, Some(bytes))
}

/// Waits until the files in the directories take more than `limit` bytes, and returns their size; waits for ever without a limit.
async fn beyond(directories: Vec<PathBuf>, limit: Option<u64>) -> u64 {
    let Some(limit) = limit else {
        return std::future::pending().await;
    };
    let mut pause = LOOK_EVERY;
    loop {
        sleep(pause).await;
        let begun = Instant::now();
        let looked_at = directories.clone();
        // A failed look counts as 0 bytes; the next look follows.
        let taken = spawn_blocking(move || disk_usage(&looked_at)).await;
        let taken = taken.unwrap_or(0);
        if taken > limit {
            return taken;
        }
        pause = (begun.elapsed() * SHARE).max(LOOK_EVERY);
    }
}

/// Bytes of disk taken by the files below the directories. A file with several names counts once, a file that vanishes meanwhile
/// not at all.
fn disk_usage(directories: &[PathBuf]) -> u64 {
    let mut linked = HashSet::new();
    let mut left = directories.to_vec();
    let mut taken: u64 = 0;
    while let Some(directory) = left.pop() {
        let disk = directory.metadata().map(|it| it.dev()).ok();
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            // Not of the target of a symbolic link.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            // Not into a mount below, such as one of an input.
            if metadata.is_dir() && disk == Some(metadata.dev()) {
                left.push(entry.path());
            }
            let is_counted = metadata.nlink() < 2 || metadata.is_dir();
            if is_counted || linked.insert((metadata.dev(), metadata.ino())) {
                taken = taken.saturating_add(metadata.blocks().saturating_mul(BLOCK));
            }
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_count_once_by_their_place_on_the_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let [out, tmp] = ["out", "tmp"].map(|name| scratch.path().join(name));
        fs::create_dir_all(out.join("a/b")).unwrap();
        fs::create_dir(&tmp).unwrap();
        let usage = || disk_usage(&[out.clone(), tmp.clone()]);
        let empty = usage();
        fs::write(out.join("a/b/file"), vec![1; 300_000]).unwrap();
        let one = usage();
        assert!((300_000..400_000).contains(&(one - empty)), "{one}");
        fs::hard_link(out.join("a/b/file"), tmp.join("same")).unwrap();
        std::os::unix::fs::symlink("/usr", tmp.join("elsewhere")).unwrap();
        assert!(usage() - one < 10_000, "a second name takes no space");
        fs::write(tmp.join("other"), vec![1; 300_000]).unwrap();
        assert!(usage() - one >= 300_000);
        assert_eq!(disk_usage(&[scratch.path().join("missing")]), 0);
    }

    #[tokio::test]
    async fn only_a_run_beyond_the_limit_is_ended() {
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("file"), vec![1; 300_000]).unwrap();
        for (limit, is_beyond) in [(None, false), (Some(900_000), false), (Some(200_000), true)] {
            let kill = CancellationToken::new();
            let run = async {
                let ended = kill.run_until_cancelled(sleep(LOOK_EVERY * 4)).await;
                ended.is_none()
            };
            let directories = vec![scratch.path().to_owned()];
            let (was_ended, bytes) = within_limit(run, directories, limit, &kill).await;
            assert_eq!(was_ended, is_beyond, "{limit:?}");
            assert_eq!(bytes.is_some(), is_beyond, "{limit:?}");
        }
    }
}
