//! A control group around a command. The kernel counts the CPU of all processes that were ever in the group, also of those that
//! no parent waited for; the sum of waited children lacks these.

use std::fs;
use std::path::{Path, PathBuf};

/// A group below the one that the current process was in before.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    former: PathBuf,
    own: PathBuf,
}

impl ControlGroup {
    /// Moves the current process into a new group, which its children begin in. None where the machine lets it make none.
    pub(crate) fn enter() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        groups
            .lines()
            .find_map(|line| Self::below(directory(line)?))
    }

    fn below(former: PathBuf) -> Option<Self> {
        let own = former.join(format!("drover-bench-{}", std::process::id()));
        fs::create_dir(&own).ok()?;
        let group = Self { former, own };
        enter(&group.own).ok()?;
        group.cpu().map(|_| group)
    }

    /// Seconds of CPU, user and system, of the group's processes so far.
    pub(crate) fn cpu(&self) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        if let Ok(text) = fs::read_to_string(self.own.join("cpuacct.usage")) {
            return number(&text).map(|nanoseconds| nanoseconds / 1e9);
        }
        let text = fs::read_to_string(self.own.join("cpu.stat")).ok()?;
        let used = text
            .lines()
            .find_map(|line| line.strip_prefix("usage_usec"));
        number(used?).map(|microseconds| microseconds / 1e6)
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        // A group that still has processes stays.
        let _ = enter(&self.former);
        let _ = fs::remove_dir(&self.own);
    }
}

fn enter(group: &Path) -> std::io::Result<()> {
    fs::write(group.join("cgroup.procs"), std::process::id().to_string())
}

/// The directory of a line of `/proc/self/cgroup` in a hierarchy that counts CPU: that of the controller `cpuacct`, or the unified
/// one.
fn directory(line: &str) -> Option<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, path) = (fields.next()?, fields.next()?);
    let mounted = Path::new("/sys/fs/cgroup");
    let hierarchy = if controllers.split(',').any(|it| it == "cpuacct") {
        mounted.join(controllers)
    } else if controllers.is_empty() && mounted.join("cgroup.controllers").exists() {
        mounted.to_owned()
    } else if controllers.is_empty() {
        mounted.join("unified")
    } else {
        return None;
    };
    Some(hierarchy.join(path.trim_start_matches('/')))
}
