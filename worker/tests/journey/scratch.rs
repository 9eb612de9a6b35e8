//! Trouble with the scratch directory: it is the worker's, and no datum pays for it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use drover_shared::datum::VerdictState;
use drover_worker::Settings;
use serde_json::json;

use crate::farm::{Farm, eventually, exists, open};

/// The worker's own directory.
fn own(settings: &Settings) -> PathBuf {
    settings.scratch.join(settings.worker.as_str())
}

/// Removes what can be removed below a directory; mount points of runners stay.
fn sweep(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_that_is_swept_away_between_datums_costs_no_datum_an_attempt() {
    let transform = json!({"cmd": ["sh"], "stdin": ["echo said; cp $in /pfs/out/"]});
    let mut farm = Farm::with(json!({"transform": transform, "datum_tries": 1})).await;
    for n in 0..6 {
        farm.write(&n.to_string(), "A\n");
    }
    let settings = farm.settings();
    let own = own(&settings);
    let parent = settings.scratch.clone();
    let _worker = farm.work(settings);
    for n in 0..6 {
        farm.publish(vec![farm.datum(n, &n.to_string())]).await;
        let (verdict, _) = farm.ended().await;
        assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
        assert_eq!((verdict.attempts, verdict.outputs.len()), (1, 1));
        sweep(if n % 2 == 0 { &own } else { &parent });
    }
    let logs = farm.logs(5).await;
    assert!(logs.concat().contains("said"), "{logs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_is_swept_away_under_a_running_command_is_not_charged_to_its_datum() {
    let script =
        "touch $FARM/running; until test -e $FARM/go; do sleep 0.01; done; echo x > /pfs/out/x";
    let transform = json!({"cmd": ["sh", "-c", script]});
    let mut farm = Farm::with(json!({"transform": transform, "datum_tries": 1})).await;
    farm.write("a", "A\n");
    let settings = farm.settings();
    let slot = own(&settings).join("slots/0");
    farm.publish(vec![farm.datum(0, "a")]).await;
    let _worker = farm.work(settings);
    exists(&farm.path("running")).await;
    std::fs::remove_dir_all(slot.join("out")).unwrap();
    open(&farm.path("go"));
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    assert_eq!((verdict.attempts, verdict.outputs.len()), (1, 1));
}

/// A small disk, for scratch.
struct Disk(PathBuf);

impl Disk {
    /// None for users without the right to mount a file system.
    fn mount(place: PathBuf) -> Option<Self> {
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            return None;
        }
        std::fs::create_dir(&place).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "none"]);
        assert!(mount.arg(&place).status().unwrap().success());
        Some(Self(place))
    }

    fn fill(&self) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        std::io::copy(&mut std::io::repeat(0), &mut ballast).unwrap_err();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_scratch_disk_fails_no_datum_and_a_datum_that_fills_it_fails() {
    let script = "touch $FARM/running; until test -e $FARM/go; do touch $FARM/waiting; sleep 0.01; done; \
                  head -c $(cat $in) /dev/zero > /pfs/out/x";
    let transform = json!({"cmd": ["sh", "-c", script]});
    let mut farm = Farm::with(json!({"transform": transform, "datum_tries": 1})).await;
    farm.write("small", "100000\n");
    farm.write("large", "20000000\n");
    let Some(disk) = Disk::mount(farm.path("disk")) else {
        return;
    };
    let settings = Settings {
        scratch: disk.0.join("scratch"),
        ..farm.settings()
    };
    farm.publish(vec![farm.datum(0, "small")]).await;
    let _worker = farm.work(settings);
    exists(&farm.path("running")).await;
    disk.fill();
    std::fs::remove_file(farm.path("running")).unwrap();
    open(&farm.path("go"));
    // The datum comes again and again while the disk is full.
    eventually("it was handed back", || farm.path("running").exists()).await;
    assert!(farm.ledger.committed(farm.job, 0).await.unwrap().is_none());
    // Space comes back while an attempt waits: between a failure and the look at the disk it would blame the datum.
    std::fs::remove_file(farm.path("waiting")).unwrap();
    std::fs::remove_file(farm.path("go")).unwrap();
    exists(&farm.path("waiting")).await;
    std::fs::remove_file(disk.0.join("ballast")).unwrap();
    open(&farm.path("go"));
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Success, "{:?}", verdict.cause);
    farm.publish(vec![farm.datum(1, "large")]).await;
    let (verdict, _) = farm.ended().await;
    assert_eq!(verdict.state, VerdictState::Failed);
}
