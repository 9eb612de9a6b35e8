//! Attacks by commands on Drover, on other datums and on the machine.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::process::Command;
use std::time::Duration;

use drover_worker::runner::{
    CommandLimits, Ending, Hiding, Inputs, Isolation, MountKind, NEXT_DATUM, Runner,
    RunnerSettings, SandboxMode,
};

use crate::slot::{MODES, Slot, input, settings};

/// The sandboxes with namespaces.
const MOUNTING: [SandboxMode; 2] = [SandboxMode::Namespaces, SandboxMode::Mounts];

/// A slot whose scratch and records lie in `.drover` of the store, as those of a worker do.
async fn slot_in_store(mode: SandboxMode) -> Slot {
    let folder = tempfile::tempdir().unwrap();
    let hidden = folder.path().join("store/.drover");
    fs::create_dir_all(hidden.join("jobs")).unwrap();
    fs::write(hidden.join("jobs/record"), "precious").unwrap();
    fs::create_dir_all(hidden.join("scratch/other/slots/0/out")).unwrap();
    fs::create_dir_all(hidden.join("scratch/own/slots")).unwrap();
    let settings = RunnerSettings {
        scratch: hidden.join("scratch/own/slots/0"),
        hidden: vec![hidden],
        ..settings(folder.path(), mode)
    };
    let runner = Runner::start(&settings).await.unwrap();
    Slot { runner, folder }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn shared_memory_of_a_datum_is_gone_when_it_ends() {
    for mode in MOUNTING {
        let mut slot = Slot::with(mode).await;
        let name = format!("drover-hostile-{}", std::process::id());
        let leave = slot.sh(&format!(
            "dd if=/dev/zero of=/dev/shm/{name} bs=4096 count=1 2> /dev/null && ipcmk -M 4096 -S 1 -Q > /dev/null"
        ));
        let execution = slot.run(&leave).await;
        assert_eq!(
            execution.ending,
            Ending::Exited(0),
            "{mode:?} {execution:?}"
        );
        let left = std::path::Path::new("/dev/shm").join(&name);
        assert!(!left.exists(), "{mode:?}: it is on the machine");
        let look = slot.sh("ls -A /dev/shm; cat /proc/sysvipc/shm /proc/sysvipc/sem /proc/sysvipc/msg | grep -v key");
        slot.run(&look).await;
        assert_eq!(slot.logged(), "", "{mode:?}");
    }
}

#[tokio::test]
async fn drovers_directories_can_be_neither_read_nor_written() {
    for mode in MODES {
        let mut slot = slot_in_store(mode).await;
        let script = r#"
            cd "$STORE/.drover" 2> /dev/null
            cat "$STORE/.drover/jobs/record" jobs/record 2> /dev/null && echo read
            (echo x > "$STORE/.drover/jobs/record") 2> /dev/null && echo written
            (echo x > "$STORE/.drover/jobs/new") 2> /dev/null && echo created
            (echo x > "$STORE/.drover/scratch/other/slots/0/out/forged") 2> /dev/null && echo forged
            mv "$STORE/.drover/jobs" "$TMPDIR/moved" 2> /dev/null && echo moved
            rm -rf "$STORE/.drover/jobs" 2> /dev/null && test -d "$STORE/.drover/jobs/" && echo removed
            echo fine > "$PFS/out/own"; echo fine > "$TMPDIR/own"; cat "$PFS/out/own" "$TMPDIR/own""#;
        slot.run(&slot.sh(script)).await;
        let told = slot.logged();
        assert_eq!(told, "stdout F fine\nstdout F fine\n", "{mode:?}");
        let hidden = slot.folder.path().join("store/.drover");
        let record = fs::read_to_string(hidden.join("jobs/record")).unwrap();
        assert_eq!(record, "precious", "{mode:?}");
        assert!(!hidden.join("jobs/new").exists(), "{mode:?}");
        let forged = hidden.join("scratch/other/slots/0/out/forged");
        assert!(!forged.exists(), "{mode:?}");
        assert_eq!(slot.out("own").as_deref(), Some("fine\n"), "{mode:?}");
        let hiding = slot.runner.protection().hiding;
        assert_ne!(hiding, Hiding::None, "{mode:?}");
    }
}

#[tokio::test]
async fn inputs_and_logs_below_a_hidden_directory_are_still_shown_and_written() {
    for mode in MODES {
        let mut slot = slot_in_store(mode).await;
        let source = slot.file(".drover/jobs/input", "text");
        let mut order = slot.sh("cat $PFS/in/a");
        order.inputs = Inputs::Fresh(vec![input(&source, "in/a", MountKind::File)]);
        order.log = slot.folder.path().join("store/.drover/log");
        assert_eq!(slot.run(&order).await.ending, Ending::Exited(0), "{mode:?}");
        let log = fs::read_to_string(&order.log).unwrap();
        assert!(log.ends_with("stdout P text\n"), "{mode:?} {log}");
    }
}

#[tokio::test]
async fn processes_of_drover_can_be_neither_traced_nor_signalled() {
    for mode in MODES {
        let mut slot = slot_in_store(mode).await;
        let own = std::process::id();
        let script = format!(
            "cat /proc/{own}/environ > /dev/null 2>&1 && echo environ; readlink /proc/{own}/fd/1 > /dev/null 2>&1 && echo fd; \
             kill -0 {own} 2> /dev/null && echo signal; true"
        );
        slot.run(&slot.sh(&script)).await;
        assert_eq!(slot.logged(), "", "{mode:?}");
        assert_eq!(
            slot.runner.protection().isolation,
            Isolation::Full,
            "{mode:?}"
        );
    }
}

#[tokio::test]
async fn root_has_the_capabilities_of_a_container_at_most() {
    if !is_root() {
        return;
    }
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = r#"
            mount -t tmpfs none "$PFS/out" && echo mounted; mount -o remount,rw "$PFS" && echo remounted
            umount -l /proc && echo unmounted; mknod "$PFS/out/null" c 1 3 && echo device
            touch "$PFS/out/file"; chattr +i "$PFS/out/file" && echo immutable
            chown 1:1 "$PFS/out/file" && grep -h ^Cap /proc/self/status >&2; true"#;
        let execution = slot
            .run(&slot.sh(&format!(
                "({script}) 2> $TMPDIR/errors; grep ^Cap $TMPDIR/errors"
            )))
            .await;
        assert_eq!(
            execution.ending,
            Ending::Exited(0),
            "{mode:?} {}",
            slot.logged()
        );
        let logged = slot.logged();
        for sets in ["CapPrm", "CapEff", "CapBnd"] {
            let line = logged.lines().find(|line| line.contains(sets)).unwrap();
            let bits = line.rsplit('\t').next().unwrap();
            let bits = u64::from_str_radix(bits, 16).unwrap();
            assert_eq!(
                bits & !0xa804_25fb,
                0,
                "{mode:?} {line}: more than containers have"
            );
        }
        for word in ["mounted", "device", "immutable"] {
            assert!(!logged.contains(word), "{mode:?} {logged}");
        }
    }
}

/// A slot whose commands are closely limited.
async fn limited_slot(mode: SandboxMode) -> Slot {
    let folder = tempfile::tempdir().unwrap();
    let settings = RunnerSettings {
        limits: CommandLimits {
            open_files: 100,
            processes: 40,
        },
        ..settings(folder.path(), mode)
    };
    let runner = Runner::start(&settings).await.unwrap();
    Slot { runner, folder }
}

#[tokio::test]
async fn open_files_and_core_dumps_of_commands_are_limited() {
    for mode in MODES {
        let mut slot = limited_slot(mode).await;
        let look =
            slot.sh("ulimit -Hn; ulimit -Sc; ulimit -Hc; ulimit -n 200 2> /dev/null; ulimit -Hn");
        slot.run(&look).await;
        let logged = slot.logged();
        // Root may raise a limit in no sandbox: the capability is gone.
        let expected = "stdout F 100\nstdout F 0\nstdout F 0\nstdout F 100\n";
        assert_eq!(logged, expected, "{mode:?}");
    }
}

#[tokio::test]
async fn the_processes_of_commands_are_limited_and_the_next_datum_has_room_again() {
    for mode in MODES {
        let mut slot = limited_slot(mode).await;
        if is_root() && !slot.runner.protection().control_group {
            return;
        }
        let many = "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i + 1)); done; echo all";
        slot.run(&slot.sh(many)).await;
        assert!(!slot.logged().contains("stdout F all"), "{mode:?}");
        let few = slot.sh("sleep 0 & sleep 0 & wait; echo few");
        slot.run(&few).await;
        assert!(slot.logged().contains("stdout F few"), "{mode:?}");
    }
}

#[tokio::test]
async fn privileged_commands_keep_the_capabilities_of_root() {
    if !is_root() {
        return;
    }
    for mode in MOUNTING {
        let mut slot = Slot::privileged(mode).await;
        let order = slot.sh("mkdir /tmp/m && mount -t tmpfs none /tmp/m");
        let execution = slot.run(&order).await;
        assert_eq!(
            execution.ending,
            Ending::Exited(0),
            "{mode:?} {}",
            slot.logged()
        );
    }
}

#[tokio::test]
async fn the_kernel_cannot_be_changed_and_no_control_group_left() {
    for mode in MOUNTING {
        let mut slot = Slot::with(mode).await;
        let order = slot.sh(
            r#"for file in /proc/sys/kernel/core_pattern /proc/sys/vm/overcommit_memory /proc/sysrq-trigger \
                /sys/power/state $(find /sys/fs/cgroup -name cgroup.procs 2> /dev/null); do
                (exec 3>> "$file") 2> /dev/null && echo "$file"
            done; true"#,
        );
        let execution = slot.run(&order).await;
        assert_eq!(execution.ending, Ending::Exited(0), "{mode:?}");
        assert_eq!(slot.logged(), "", "{mode:?}");
    }
}

#[tokio::test]
async fn inherited_descriptors_and_abstract_sockets_do_not_reach_commands() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};
    for mode in MODES {
        let name = format!("drover-hostile-{}-{mode:?}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        let secret = tempfile::tempfile().unwrap();
        let _inheritable = nix::unistd::dup(&secret).unwrap();
        let mut slot = Slot::with(mode).await;
        let script = format!(
            "ls -l /proc/self/fd > $TMPDIR/list; grep -c -- '->' $TMPDIR/list; python3 -c 'import socket
s = socket.socket(socket.AF_UNIX); s.connect(\"\\0{name}\"); print(\"connected\")' 2> /dev/null; true"
        );
        slot.run(&slot.sh(&script)).await;
        assert_eq!(slot.logged(), "stdout F 4\n", "{mode:?}");
    }
}

#[tokio::test]
async fn a_command_that_kills_its_parent_ends_nothing_but_itself() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let order = slot.sh("kill -9 $PPID; sleep 60");
        assert_eq!(
            slot.run(&order).await.ending,
            Ending::Signaled(9),
            "{mode:?}"
        );
        let next = slot.sh("echo well");
        assert_eq!(slot.run(&next).await.ending, Ending::Exited(0), "{mode:?}");
        assert_eq!(slot.logged(), "stdout F well\n", "{mode:?}");
    }
}

#[tokio::test]
async fn a_file_system_mounted_below_an_input_later_is_read_only_too() {
    if !is_root() {
        return;
    }
    let run = |program: &str, arguments: &[&str]| {
        assert!(
            Command::new(program)
                .args(arguments)
                .status()
                .unwrap()
                .success()
        );
    };
    for mode in MOUNTING {
        let mut slot = Slot::with_shared_mounts(mode).await;
        let below = slot.file("dir/sub/file", "").parent().unwrap().to_owned();
        let below = below.to_str().unwrap();
        let mut order = slot.sh(
            "ls $PFS/in/sub | tr '\\n' ' '; for f in $PFS/in/x $PFS/in/sub/bad; do (echo bad > $f) 2> /dev/null && echo written; done; true",
        );
        let source = slot.folder.path().join("store/dir");
        order.inputs = Inputs::Fresh(vec![input(&source, "in", MountKind::Dir)]);
        let mut seen = String::new();
        for step in ["mounted", "unmounted", "again"] {
            if step == "unmounted" {
                run("umount", &[below]);
            } else {
                run("mount", &["-t", "tmpfs", "none", below]);
                fs::write(format!("{below}/of-the-mount"), "").unwrap();
            }
            assert_eq!(
                slot.run(&order).await.ending,
                Ending::Exited(0),
                "{mode:?} {step}"
            );
            seen += &slot.logged();
            assert!(!source.join("sub/bad").exists(), "{mode:?} {step}");
            let _ = fs::remove_file(slot.log());
        }
        slot.runner.end().await;
        run("umount", &[below]);
        run("umount", &[slot.folder.path().to_str().unwrap()]);
        let expected = "stdout P of-the-mount \nstdout P file \nstdout P of-the-mount \n";
        assert_eq!(seen, expected, "{mode:?}");
    }
}

#[tokio::test]
async fn a_slow_client_of_the_next_datum_socket_does_not_hold_up_the_time_limit() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = r#"exec python3 -c 'import os, socket, time
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["DROVER_NEXT_DATUM"] + "/ask")
while True:
    s.send(b"n"); time.sleep(0.2)'"#;
        let mut order = slot.sh(script);
        let directory = slot.runner.next_datum().display().to_string();
        order.env.insert(NEXT_DATUM.to_owned(), directory);
        order.batch = Some(String::new());
        order.timeout = Some(Duration::from_secs(1));
        order.grace = Duration::ZERO;
        let never = tokio_util::sync::CancellationToken::new();
        let run = tokio::time::timeout(Duration::from_secs(20), slot.runner.run(&order, &never));
        let execution = run.await.expect("the time limit is enforced").unwrap();
        assert_eq!(execution.ending, Ending::TimedOut, "{mode:?}");
    }
}

#[tokio::test]
async fn a_datum_of_very_many_files_needs_few_mounts_and_cannot_change_them() {
    for mode in MOUNTING {
        let folder = tempfile::tempdir().unwrap();
        let settings = RunnerSettings {
            max_file_mounts: 100,
            ..settings(folder.path(), mode)
        };
        let runner = Runner::start(&settings).await.unwrap();
        let mut slot = Slot { runner, folder };
        let file = |number: u32| {
            let (name, text) = (format!("{}/{number}", number % 3), number.to_string());
            (slot.file(&format!("many/{name}"), &text), name)
        };
        let mounts = (0..2000).map(|number| {
            let (source, name) = file(number);
            input(&source, &format!("in/{name}"), MountKind::File)
        });
        let mut order = slot.sh(
            "cat $PFS/in/*/* | wc -c; test $(grep -c /pfs /proc/self/mounts) -lt 100 && echo few; \
             for f in $PFS/in/0/0 $PFS/.inputs/0/0; do (echo bad > $f) 2> /dev/null && echo written; done; true",
        );
        order.inputs = Inputs::Fresh(mounts.collect());
        slot.run(&order).await;
        let expected = "stdout F 6890\nstdout F few\n";
        assert_eq!(slot.logged(), expected, "{mode:?}");
        let shown = slot.runner.resolve(&slot.runner.pfs().join(".inputs/0/0"));
        assert!(
            shown.is_some_and(|path| path.ends_with("many/0/0")),
            "{mode:?}"
        );
        let next = slot.sh("ls -A $PFS");
        slot.run(&next).await;
        assert_eq!(slot.logged(), "stdout F out\n", "{mode:?}");
    }
}

#[tokio::test]
async fn the_strict_mode_demands_full_protection() {
    let folder = tempfile::tempdir().unwrap();
    let strict = settings(folder.path(), SandboxMode::Strict);
    let runner = Runner::start(&strict).await.unwrap();
    assert_eq!(runner.protection().isolation, Isolation::Full);
    let weaker = RunnerSettings {
        privileged: true,
        scratch: folder.path().join("other"),
        ..strict
    };
    let refusal = Runner::start(&weaker).await.unwrap_err().to_string();
    assert!(refusal.contains("protection is incomplete"), "{refusal}");
}

#[tokio::test]
async fn the_machines_devices_are_still_there() {
    for mode in MODES {
        let mut slot = slot_in_store(mode).await;
        let script = "echo x > /dev/null && head -c 1 /dev/zero > /dev/null && test -d /proc/self && ls / > /dev/null";
        assert_eq!(
            slot.run(&slot.sh(script)).await.ending,
            Ending::Exited(0),
            "{mode:?} {}",
            slot.logged()
        );
        assert!(
            fs::metadata("/dev/null")
                .unwrap()
                .file_type()
                .is_char_device()
        );
    }
}
