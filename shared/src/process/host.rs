//! The machine, and the process on it.

/// The name of this machine, or of the pod; empty if it has none.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// This process, for people who look at the broker, into the store or at a cluster.
pub fn process_name() -> String {
    format!("{}-{}", host_name(), std::process::id())
}
