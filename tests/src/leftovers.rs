//! Finds processes that should be gone.

use std::fs;
use std::path::Path;

/// The processes whose environment or working directory holds `mark`, as `pid command line`. Dead ones that
/// wait to be reaped have neither.
pub fn processes_marked(mark: &str) -> Vec<String> {
    let me = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("/proc is there").flatten();
    processes
        .filter(|process| {
            process
                .file_name()
                .to_str()
                .is_some_and(|name| name != me && name.parse::<u32>().is_ok())
        })
        .filter(|process| bears(&process.path(), mark))
        .map(|process| describe(&process.path()))
        .collect()
}

fn bears(process: &Path, mark: &str) -> bool {
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    let directory = fs::read_link(process.join("cwd")).unwrap_or_default();
    let in_environment = environment
        .windows(mark.len())
        .any(|window| window == mark.as_bytes());
    in_environment || directory.to_string_lossy().contains(mark)
}

fn describe(process: &Path) -> String {
    let command = fs::read(process.join("cmdline")).unwrap_or_default();
    let pid = process.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "{pid} {}",
        String::from_utf8_lossy(&command).replace('\0', " ")
    )
}
