//! Advice for failures whose cause is a usual mistake.

use drover_shared::job::FailureGroup;

/// The advice for a group of failures; none if its cause speaks for itself.
pub(super) fn advice(group: &FailureGroup) -> Option<&'static str> {
    by_kind(&group.kind).or_else(|| by_message(&group.to_string()))
}

fn by_kind(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "exit 126" => {
            "Code 126 means that the shell could not execute the command: is the file executable?"
        }
        "exit 127" => {
            "Code 127 means that the shell did not find the command: is it installed, and in PATH?"
        }
        "exit 137" | "signal 9" => {
            "A SIGKILL from outside usually means that memory ran out: try fewer --workers."
        }
        "out of memory" => {
            "Each attempt had twice as much memory as the last; give more with --memory, a larger machine, or `memory_tries`."
        }
        "out of scratch space" => {
            "The files of a datum in /pfs/out and /tmp took more space than --scratch-limit allows; raise the limit, or make the datums smaller."
        }
        "exit 139" | "signal 11" => "SIGSEGV: the command itself crashed.",
        "timeout" => {
            "It was still running at `datum_timeout`; raise the limit, or make the datums smaller."
        }
        "input" => {
            "The inputs changed or vanished while the job ran; `drover run` takes the present inputs."
        }
        _ => return None,
    })
}

fn by_message(message: &str) -> Option<&'static str> {
    let rows = [
        (
            "Read-only file system",
            "Inputs are read-only; write to {out} (in a spec: /pfs/out), as in gzip -c '{}' >'{out}/{/}.gz'.",
        ),
        (
            "No space left on device",
            "A disk is full: the store's, or that of --scratch.",
        ),
        (
            "Broken pipe",
            "The reader of a pipe ended before its writer; with pipefail, which Drover sets where it can, that is a failure.",
        ),
    ];
    let found = rows.iter().find(|(mark, _)| message.contains(mark));
    found.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use drover_shared::datum::Cause;
    use drover_shared::job::FailureGroups;

    use super::*;

    #[test]
    fn a_command_that_writes_to_its_input_is_told_where_to_write() {
        let mut failures = FailureGroups::default();
        let last_line = "gzip: /pfs/in/a.gz: Read-only file system".to_owned();
        failures.add(0, &Cause::Exit { code: 1, last_line });
        let advised = advice(failures.by_count()[0]).unwrap_or_default();
        assert!(advised.contains("write to {out}"), "{advised}");
    }

    #[test]
    fn a_cause_that_speaks_for_itself_gets_no_advice() {
        let mut failures = FailureGroups::default();
        let last_line = "no such column".to_owned();
        failures.add(0, &Cause::Exit { code: 1, last_line });
        assert_eq!(advice(failures.by_count()[0]), None);
    }
}
