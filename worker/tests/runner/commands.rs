//! Commands run, are told apart by how they end, and keep their output.

use drover_worker::runner::{Ending, Inputs, MountKind, SandboxMode};

use crate::slot::{Slot, input};

/// Every sandbox that can be had wherever tests run.
pub(crate) const MODES: [SandboxMode; 3] = [
    SandboxMode::Namespaces,
    SandboxMode::Mounts,
    SandboxMode::None,
];

#[tokio::test]
async fn a_command_reads_its_input_and_leaves_its_output() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let source = slot.file("in/a b/ü.txt", "hello");
        let mut order = slot.sh("cat \"$PFS/in/a b/ü.txt\" > \"$PFS/out/copy\"; echo done; echo oh >&2; pwd; ls /tmp; exit 3");
        order.inputs = Inputs::Fresh(vec![input(&source, "in/a b/ü.txt", MountKind::File)]);
        let execution = slot.run(&order).await;
        eprintln!(
            "{mode:?} {:?} {:?} {:?}",
            slot.runner.sandbox(),
            slot.runner.refused(),
            slot.logged()
        );
        assert_eq!(
            execution.ending,
            Ending::Exited(3),
            "{mode:?} {execution:?}"
        );
        assert_eq!(slot.out("copy").as_deref(), Some("hello"), "{mode:?}");
        assert_eq!(execution.last_line, "oh");
        slot.runner.end().await;
        assert!(!slot.folder.path().join("scratch").exists(), "{mode:?}");
    }
}
