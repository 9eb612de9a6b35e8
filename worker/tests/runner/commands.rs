//! Commands find inputs, working directory and standard input, and leave output.

use std::fs;
use std::sync::Arc;

use drover_worker::runner::{Ending, Inputs, MountKind, Runner, SandboxMode};
use tokio_util::sync::CancellationToken;

use crate::slot::{MODES, Slot, input, settings};

#[tokio::test]
async fn a_command_reads_its_input_and_leaves_its_output() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let source = slot.file("in/a b/ü.txt", "hello");
        let mut order = slot
            .sh("cat \"$PFS/in/a b/ü.txt\" > \"$PFS/out/copy\"; echo done; echo oh >&2; exit 3");
        order.inputs = Inputs::Fresh(vec![input(&source, "in/a b/ü.txt", MountKind::File)]);
        let execution = slot.run(&order).await;
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

#[tokio::test]
async fn a_new_datum_sees_nothing_of_the_last_and_a_retry_keeps_only_tmp() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let source = slot.file("a", "first");
        let mut order = slot.sh("echo x > $PFS/out/left; echo y > $TMPDIR/left; mkdir -m 000 $PFS/out/locked; ls $PFS $PFS/in; exit 1");
        order.inputs = Inputs::Fresh(vec![input(&source, "in/first", MountKind::File)]);
        slot.run(&order).await;
        let mut again = slot.sh("ls $PFS $PFS/in $PFS/out $TMPDIR | tr '\\n' ' '");
        again.inputs = Inputs::Same;
        slot.run(&again).await;
        assert!(
            slot.logged().contains("in") && slot.logged().contains("first"),
            "{mode:?}: {}",
            slot.logged()
        );
        assert_eq!(
            slot.logged().matches("left").count(),
            1,
            "{mode:?}: only /tmp keeps its file: {}",
            slot.logged()
        );
        let mut next = slot.sh("ls -A $PFS/in $PFS/out $TMPDIR; test ! -e $PFS/in/first");
        next.inputs = Inputs::Fresh(vec![input(&source, "in/second", MountKind::File)]);
        assert_eq!(slot.run(&next).await.ending, Ending::Exited(0), "{mode:?}");
        assert!(
            !slot.logged().contains("left"),
            "{mode:?}: {}",
            slot.logged()
        );
    }
}

#[tokio::test]
async fn standard_input_is_the_file_given_or_empty() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let mut order = slot.command(&["cat"]);
    assert_eq!(slot.run(&order).await.log_bytes, 0);
    order.stdin = Some(slot.file("stdin", "a line\n"));
    slot.run(&order).await;
    assert_eq!(slot.logged(), "stdout F a line\n");
}

#[tokio::test]
async fn a_relative_command_is_looked_for_in_the_working_directory() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let script = slot.file("tools/hello.sh", "#!/bin/sh\npwd\n");
        let directory = script.parent().unwrap().to_owned();
        fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        for (name, path) in [
            ("./hello.sh", None),
            ("hello.sh", Some(".:/bin")),
            ("hello.sh", Some(directory.to_str().unwrap())),
        ] {
            let mut order = slot.command(&[name]);
            order.working_dir = Some(directory.clone());
            if let Some(path) = path {
                order.env.insert("PATH".to_owned(), path.to_owned());
            }
            let execution = slot.run(&order).await;
            assert_eq!(
                execution.ending,
                Ending::Exited(0),
                "{mode:?} {name} {path:?}"
            );
            assert_eq!(
                slot.logged(),
                format!("stdout F {}\n", directory.display()),
                "{mode:?} {name} {path:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_environment_is_that_of_the_order_over_the_shared_base() {
    let mut slot = Slot::with(SandboxMode::Auto).await;
    let mut order = slot.command(&["env"]);
    let variables = |text: &str| {
        let pairs = text.split(' ').filter_map(|word| word.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    for (base, own, expected) in [
        ("", "ONE=1 PATH=/usr/bin:/bin", "ONE=1 PATH=/usr/bin:/bin"),
        ("PATH=/usr/bin:/bin TWO=2", "", "PATH=/usr/bin:/bin TWO=2"),
        (
            "PATH=/nowhere TWO=2",
            "TWO=3 PATH=/usr/bin:/bin",
            "PATH=/usr/bin:/bin TWO=3",
        ),
        ("", "PATH=/usr/bin:/bin", "PATH=/usr/bin:/bin"),
    ] {
        order.base = Arc::new(variables(base));
        for _ in 0..2 {
            order.env = variables(own);
            slot.run(&order).await;
            let logged = slot.logged().replace("stdout F ", "");
            assert_eq!(logged.trim().replace('\n', " "), expected);
        }
    }
}

#[tokio::test]
async fn slots_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut runners = Vec::new();
    for name in ["one", "two"] {
        let mut settings = settings(folder.path(), SandboxMode::Namespaces);
        settings.scratch = folder.path().join(name);
        runners.push((name, Runner::start(&settings).await.unwrap()));
    }
    let slot = Slot::with(SandboxMode::None).await;
    for (name, runner) in &mut runners {
        let mut order =
            slot.sh("ls -A /pfs/out /tmp; echo $NAME > /pfs/out/mine; echo $NAME > /tmp/mine");
        order.env.insert("NAME".to_owned(), (*name).to_owned());
        order.log = folder.path().join(format!("{name}.log"));
        runner.run(&order, &CancellationToken::new()).await.unwrap();
        assert!(!fs::read_to_string(&order.log).unwrap().contains("mine"));
        assert_eq!(
            fs::read_to_string(runner.out().join("mine")).unwrap(),
            format!("{name}\n")
        );
    }
}

#[tokio::test]
async fn paths_inside_are_traced_to_the_files_of_the_machine() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let (file, directory) = (
            slot.file("f", "f"),
            slot.file("d/x/y", "y").parent().unwrap().to_owned(),
        );
        let mut order = slot.command(&["true"]);
        order.inputs = Inputs::Fresh(vec![
            input(&file, "in/a", MountKind::File),
            input(&directory, "dir/x", MountKind::Dir),
            input(&file, "e/none", MountKind::Empty),
        ]);
        slot.run(&order).await;
        let (pfs, tmp) = (slot.runner.pfs().to_owned(), slot.runner.tmp().to_owned());
        let scratch = slot.folder.path().join("scratch");
        for (inside, expected) in [
            (pfs.join("in/a"), Some(file.clone())),
            (pfs.join("out/../in/./a"), Some(file.clone())),
            (pfs.join("dir/x/y"), Some(directory.join("y"))),
            (pfs.join("e/none"), Some(scratch.join("empty"))),
            (pfs.join("out/sub/z"), Some(scratch.join("out/sub/z"))),
            (tmp.join("t"), Some(scratch.join("tmp/t"))),
            (pfs.join("in/a/b"), None),
            (pfs.join("in/other"), None),
            ("/etc/passwd".into(), None),
            (pfs.join("../etc/passwd"), None),
            ("relative".into(), None),
        ] {
            assert_eq!(
                slot.runner.resolve(&inside),
                expected,
                "{mode:?} {}",
                inside.display()
            );
        }
        let store = slot.folder.path().join("store/f");
        assert_eq!(
            slot.runner.resolve(&store),
            None,
            "{mode:?}: the store is not the datum's own"
        );
    }
}
