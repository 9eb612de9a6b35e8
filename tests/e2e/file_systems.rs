//! A store on a file system without hard links, rights and links.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use drover_tests::{Spec, Workspace, files};
use tempfile::TempDir;

/// For each kind of file system without hard links: the program that formats an image, and the command that mounts the image.
const KINDS: [(&str, &[&str]); 2] = [
    ("mkfs.vfat", &["mount", "-t", "vfat"]),
    ("mkfs.exfat", &["mount.exfat-fuse"]),
];

/// A mounted image; taken down when dropped.
struct Mounted {
    folder: TempDir,
    device: String,
}

impl Mounted {
    /// None where the machine has none of the programs, no loop device, or no right to mount; that is said.
    fn any() -> Option<Self> {
        let mut problems = Vec::new();
        for (make, mount) in KINDS {
            match Self::of(make, mount) {
                Ok(mounted) => return Some(mounted),
                Err(problem) => problems.push(format!("{make}: {problem}")),
            }
        }
        // Past the capture of the test: a pass must not look as if it had tested something.
        let mut stderr = std::io::stderr();
        let problems = problems.join("; ");
        let _ = writeln!(
            stderr,
            "SKIPPED: a store on a file system without hard links: {problems}"
        );
        None
    }

    fn of(make: &str, mount: &[&str]) -> Result<Self, String> {
        let folder = TempDir::with_prefix_in("drover-test-", "/var/tmp").map_err(told)?;
        let image = folder.path().join("image");
        fs::File::create(&image)
            .and_then(|file| file.set_len(128 << 20))
            .map_err(told)?;
        run(Command::new(make).arg(&image))?;
        let device = run(Command::new("losetup")
            .args(["--find", "--show"])
            .arg(&image))?;
        let mounted = Self { folder, device };
        fs::create_dir(mounted.path()).map_err(told)?;
        let mut command = Command::new(mount[0]);
        command
            .args(&mount[1..])
            .arg(&mounted.device)
            .arg(mounted.path());
        run(&mut command)?;
        Ok(mounted)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("mount")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg(self.path()));
        let _ = run(Command::new("losetup").args(["--detach", &self.device]));
    }
}

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The first line of a command's output.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(told)?;
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().next().unwrap_or_default().to_owned()
    };
    if output.status.success() {
        Ok(line(&output.stdout))
    } else {
        Err(line(&output.stderr))
    }
}

#[test]
fn a_store_on_a_file_system_without_hard_links_works_by_copies() {
    let Some(mounted) = Mounted::any() else {
        return;
    };
    let workspace = Workspace::under(&mounted.path());
    workspace.file("one", "");
    fs::hard_link(workspace.path("one"), workspace.path("other")).unwrap_err();
    let spec = Spec::new("copy")
        .reads("in", "/*")
        .sh("cp /pfs/in/* /pfs/out");
    workspace.file("in/a", "ant\n");
    workspace.file("in/b", "bee\n");
    assert_eq!(workspace.succeeds(&spec).counts(), "2: 2 processed");
    assert_eq!(workspace.succeeds(&spec).counts(), "2: 2 skipped");
    workspace.file("in/a", "ape\n");
    assert_eq!(
        workspace.succeeds(&spec).counts(),
        "2: 1 processed, 1 skipped"
    );
    // Of another size: the clock of the file system has a grain, in which an edit of the same size leaves no trace.
    workspace.file("copy/b", "a bat\n");
    workspace.succeeds(&spec);
    let expected = files([("a", "ape\n"), ("b", "bee\n")]);
    assert_eq!(workspace.tree("copy"), expected);
    workspace.call(&["verify"]).code(0);
    let failing = Spec::new("copy").reads("in", "/*").sh("exit 1");
    workspace.fails(&failing);
    assert_eq!(workspace.tree("copy"), expected);
    workspace.remove("in/b");
    workspace.succeeds(&spec);
    assert_eq!(workspace.tree("copy"), files([("a", "ape\n")]));
    workspace.call(&["gc"]).code(0);
}
