//! Names of the machine and of the process.

/// The name of the machine or the pod; empty if there is none.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// A name for the current process, for people who inspect the broker, the store or a cluster.
pub fn process_name() -> String {
    format!("{}-{}", host_name(), std::process::id())
}
