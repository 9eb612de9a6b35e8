//! The graphics processors of the machine.

use std::fs;

/// The variable that names the graphics processors which a process may use.
pub(crate) const VISIBLE_DEVICES: &str = "CUDA_VISIBLE_DEVICES";

/// The names of the graphics processors that the worker may use; `visible` is the value of the variable for the worker itself.
pub(super) fn devices(visible: Option<&str>) -> Vec<String> {
    let files = fs::read_dir("/dev").into_iter().flatten().flatten();
    let files = files.filter_map(|file| file.file_name().into_string().ok());
    named(visible, files)
}

/// The names in `visible`, else the numbers of the device files.
fn named(visible: Option<&str>, files: impl Iterator<Item = String>) -> Vec<String> {
    if let Some(visible) = visible {
        let names = visible.split(',').map(str::trim);
        // As CUDA does: a negative number ends the list.
        let usable = names.take_while(|name| !name.is_empty() && !name.starts_with('-'));
        return usable.map(str::to_owned).collect();
    }
    let numbers = files.filter_map(|file| file.strip_prefix("nvidia")?.parse().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    numbers.iter().map(u32::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_those_that_the_worker_may_see_else_all() {
        let files = ["nvidia10", "nvidia1", "nvidiactl", "nvidia-uvm", "null"];
        let rows: [(Option<&str>, &[&str]); 6] = [
            (None, &["1", "10"]),
            (Some("2,0"), &["2", "0"]),
            (Some("GPU-8f, GPU-9"), &["GPU-8f", "GPU-9"]),
            (Some(""), &[]),
            (Some("-1"), &[]),
            (Some("0,-1,2"), &["0"]),
        ];
        for (visible, expected) in rows {
            let files = files.iter().map(|file| (*file).to_owned());
            assert_eq!(named(visible, files), expected, "{visible:?}");
        }
    }
}
