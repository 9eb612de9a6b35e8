//! Commands that cannot start: each message names the cause and the remedy.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drover_worker::runner::{Ending, Order, Runner, RunnerError, Sandbox, SandboxMode};
use tokio_util::sync::CancellationToken;

use crate::slot::{self, MODES, Slot};

async fn refusal(slot: &mut Slot, order: &Order) -> String {
    match slot.run(order).await.ending {
        Ending::NotStarted(message) => {
            message.replace(slot.folder.path().to_str().unwrap(), "FOLDER")
        }
        other => panic!("{:?} started: {other:?}", order.argv),
    }
}

#[tokio::test]
async fn a_command_that_cannot_start_is_explained() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let executable = |path: &str, text: &str, mode: u32| {
        let file = slot.file(path, text);
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let plain = executable("plain", "echo", 0o644);
    let orphan = executable("orphan", "#!/no/such/shell\n", 0o755);
    let headless = executable("headless", "echo hello\n", 0o755);
    let folder = slot.folder.path().to_str().unwrap().to_owned();
    let missing = format!("{folder}/missing");
    let mut messages = Vec::new();
    for program in [
        "nonesuch", &missing, &plain, &orphan, &headless, &folder, "",
    ] {
        let order = slot.command(&[program]);
        messages.push(refusal(&mut slot, &order).await);
    }
    let mut order = slot.command(&["true"]);
    order.working_dir = Some(slot.folder.path().join("nowhere"));
    messages.push(refusal(&mut slot, &order).await);
    let mut order = slot.command(&["plain"]);
    order.env.insert(
        "PATH".to_owned(),
        slot.folder
            .path()
            .join("store")
            .to_str()
            .unwrap()
            .to_owned(),
    );
    messages.push(refusal(&mut slot, &order).await);
    let mut order = slot.command(&["true"]);
    order
        .argv
        .extend((0..300_000).map(|number| format!("argument {number}")));
    messages.push(refusal(&mut slot, &order).await);
    let mut order = slot.command(&["true"]);
    order.argv.clear();
    messages.push(refusal(&mut slot, &order).await);
    let mut order = slot.command(&["true"]);
    order.user = Some("nobody-here".to_owned());
    messages.push(refusal(&mut slot, &order).await);
    insta::assert_snapshot!(messages.join("\n"), @r#"
    command "nonesuch" was not found; give its full path, or set PATH in `transform.env`, which is /usr/local/bin:/usr/bin:/bin
    command FOLDER/missing does not exist
    command FOLDER/store/plain is not executable for this user; run `chmod +x` on it
    command FOLDER/store/orphan cannot run: its interpreter "/no/such/shell" does not exist
    command FOLDER/store/headless is no program for this machine: a script must begin with a line like `#!/bin/sh`
    command FOLDER is a directory
    command "" was not found; give its full path, or set PATH in `transform.env`, which is /usr/local/bin:/usr/bin:/bin
    working directory FOLDER/nowhere does not exist; correct `transform.working_dir`
    command "plain" is not executable: FOLDER/store/plain; run `chmod +x` on it
    command /usr/bin/true got more arguments and environment than the system takes; pass them in a file or on stdin
    there is no command; give `transform.cmd`
    user "nobody-here" is not in /etc/passwd; use a name from there or a number
    "#);
}

#[tokio::test]
async fn an_unfit_slot_gives_the_reason_and_a_new_runner_works() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let spoil = [
            |slot: &Slot, _: &mut Order| fs::remove_dir_all(slot.folder.path().join("scratch")),
            |slot: &Slot, order: &mut Order| {
                order.stdin = Some(slot.folder.path().join("taken away"));
                Ok(())
            },
        ];
        for (spoil, reason) in spoil.into_iter().zip(["cannot be removed", "taken away"]) {
            let order = slot.sh("echo well > $PFS/out/done");
            let mut spoilt = order.clone();
            spoil(&slot, &mut spoilt).unwrap();
            let never = CancellationToken::new();
            match slot.runner.run(&spoilt, &never).await {
                Err(RunnerError::Unfit { reason: said }) => {
                    assert!(said.contains(reason), "{mode:?}: {said}");
                }
                other => panic!("{mode:?} {reason}: {other:?}"),
            }
            slot.renew(mode).await;
            assert_eq!(slot.run(&order).await.ending, Ending::Exited(0), "{mode:?}");
            assert_eq!(slot.out("done").as_deref(), Some("well\n"), "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_command_runs_as_the_user_asked_for_and_can_write_its_output() {
    let root = nix::unistd::geteuid().is_root();
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let mut order = slot.sh("id -u; id -g; touch /pfs/out/mine /tmp/mine");
    order.user = Some("4711:4712".to_owned());
    if !root {
        let message = refusal(&mut slot, &order).await;
        return assert!(message.contains("the worker is not root"), "{message}");
    }
    assert_eq!(
        slot.run(&order).await.ending,
        Ending::Exited(0),
        "{}",
        slot.logged()
    );
    assert_eq!(slot.logged(), "stdout F 4711\nstdout F 4712\n");
    let mut next = slot.sh("touch /pfs/out/mine; stat -c %u /pfs/out/mine /pfs/out");
    next.user = None;
    slot.run(&next).await;
    assert_eq!(slot.logged(), "stdout F 0\nstdout F 0\n");
}

#[tokio::test]
async fn a_refused_sandbox_has_removed_its_scratch_before_the_next_is_tried() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = slot::settings(folder.path(), SandboxMode::Namespaces);
    // A runner that refuses the first sandbox, as its server does, and exits with a delay.
    let script = format!(
        "#!/bin/sh
        if test $2 = guard -a $3 = namespaces; then
            mkdir -p \"$4\"; printf '\\020\\000\\000\\000{{\"refused\":\"no\"}}'
            sleep 0.3; rm -r \"$4\" && touch {}/cleared; exit 1
        fi
        exec {} \"$@\"",
        folder.path().display(),
        settings.program.display(),
    );
    settings.program = folder.path().join("program");
    fs::write(&settings.program, script).unwrap();
    fs::set_permissions(&settings.program, fs::Permissions::from_mode(0o755)).unwrap();
    let runner = Runner::start(&settings).await.unwrap();
    assert_eq!(runner.sandbox(), Sandbox::Mounts);
    assert_eq!(runner.refused(), ["namespaces: no"]);
    assert!(folder.path().join("cleared").exists());
    assert!(runner.out().exists(), "its scratch directory is gone");
}
