//! Inputs appear at the right place and as the right kind, never outside `/pfs`.

use std::fs;

use drover_worker::runner::{Ending, Inputs, Mount, MountKind};

use crate::slot::{MODES, Slot, input};

#[tokio::test]
async fn inputs_of_every_kind_are_shown() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let (file, other) = (slot.file("f", "file"), slot.file("d/deep/x", "x"));
        let directory = other.parent().unwrap().parent().unwrap().to_owned();
        let mut order = slot.sh("cd $PFS; cat one/f two/deep/x four/f; wc -c < three/f; ls");
        order.inputs = Inputs::Fresh(vec![
            input(&file, "one/f", MountKind::File),
            input(&directory, "two", MountKind::Dir),
            input(&file, "three/f", MountKind::Empty),
            input(&file, "four/f", MountKind::Fifo),
        ]);
        let execution = slot.run(&order).await;
        assert_eq!(
            execution.ending,
            Ending::Exited(0),
            "{mode:?} {}",
            slot.logged()
        );
        let expected = "stdout F filexfile0\nstdout F four\nstdout F one\nstdout F out\nstdout F three\nstdout F two\n";
        assert_eq!(slot.logged(), expected, "{mode:?}");
    }
}

#[tokio::test]
async fn inputs_that_leave_pfs_or_hide_each_other_are_refused_by_name() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let file = slot.file("f", "");
        let directory = file.parent().unwrap().to_owned();
        for targets in [
            vec![("../f", MountKind::File)],
            vec![("/f", MountKind::File)],
            vec![("", MountKind::Dir)],
            vec![("out", MountKind::Dir)],
            vec![("out/f", MountKind::File)],
            vec![("in/a", MountKind::File), ("in/a/b", MountKind::File)],
            vec![("in/a/b", MountKind::File), ("in/a", MountKind::File)],
            vec![("in/a", MountKind::Dir), ("in/a/f", MountKind::File)],
            vec![("in/a", MountKind::File), ("in/a", MountKind::File)],
        ] {
            let source = |kind| {
                if kind == MountKind::Dir {
                    &directory
                } else {
                    &file
                }
            };
            let mounts: Vec<Mount> = targets
                .iter()
                .map(|&(target, kind)| input(source(kind), target, kind))
                .collect();
            let mut order = slot.command(&["true"]);
            order.inputs = Inputs::Fresh(mounts);
            match slot.run(&order).await.ending {
                Ending::NotStarted(message) => {
                    assert!(message.contains(targets[0].0), "{mode:?}: {message}");
                }
                other => panic!("{mode:?} {targets:?}: {other:?}"),
            }
        }
        let order = slot.command(&["true"]);
        assert_eq!(
            slot.run(&order).await.ending,
            Ending::Exited(0),
            "{mode:?}: the runner goes on"
        );
    }
}

#[tokio::test]
async fn an_input_that_vanished_is_named() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let mut order = slot.command(&["true"]);
        order.inputs = Inputs::Fresh(vec![input(
            &slot.folder.path().join("gone"),
            "in/f",
            MountKind::File,
        )]);
        match slot.run(&order).await.ending {
            Ending::NotStarted(message) => assert!(message.contains("gone"), "{mode:?}: {message}"),
            other => panic!("{mode:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_thousand_inputs_under_odd_names_are_shown_and_taken_away_again() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let mounts: Vec<Mount> = (0..1000)
            .map(|number| {
                let source = slot.file(&format!("many/{number}"), &number.to_string());
                input(
                    &source,
                    &format!("in/ü \\ % # \n{number}/x"),
                    MountKind::File,
                )
            })
            .collect();
        let mut order = slot.sh("cat $PFS/in/*/x | wc -c");
        order.inputs = Inputs::Fresh(mounts);
        slot.run(&order).await;
        assert_eq!(slot.logged(), "stdout F 2890\n", "{mode:?}");
        let empty = slot.sh("ls -A $PFS; grep -c /pfs/in /proc/self/mounts");
        slot.run(&empty).await;
        assert_eq!(slot.logged(), "stdout F out\nstdout F 0\n", "{mode:?}");
    }
}

/// Lists `/pfs` without `out`, and leaves a file there.
const LIST: &str = "echo sees: && cd $PFS && find . -type f ! -path './out/*' | sort | xargs -r grep -H . && test -z \"$(ls -A out)\" && touch out/left";

#[tokio::test]
async fn each_datum_sees_its_own_inputs_and_none_of_the_last_datum() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let (a, b) = (slot.file("a", "A\n"), slot.file("dir/b", "B\n"));
        let dir = b.parent().unwrap();
        let datums = [
            vec![input(&a, "in/one", MountKind::File)],
            vec![input(&b, "in/two", MountKind::File)],
            vec![input(&b, "in/one", MountKind::File)],
            vec![input(dir, "in/one", MountKind::Dir)],
            vec![input(dir, "in", MountKind::Dir)],
            vec![input(&a, "in/deep/er/one", MountKind::File)],
            vec![
                input(&a, "in/one", MountKind::File),
                input(dir, "other", MountKind::Dir),
            ],
            vec![
                input(&b, "in/three", MountKind::File),
                input(&a, "other", MountKind::File),
            ],
            vec![input(&a, "in", MountKind::File)],
            vec![],
        ];
        let mut seen = Vec::new();
        for inputs in datums {
            let mut order = slot.sh(LIST);
            order.inputs = Inputs::Fresh(inputs);
            assert_eq!(slot.run(&order).await.ending, Ending::Exited(0), "{mode:?}");
            seen.push(slot.logged().replace("stdout F ", ""));
        }
        insta::allow_duplicates! {
            insta::assert_snapshot!(seen.concat(), @"
            sees:
            ./in/one:A
            sees:
            ./in/two:B
            sees:
            ./in/one:B
            sees:
            ./in/one/b:B
            sees:
            ./in/b:B
            sees:
            ./in/deep/er/one:A
            sees:
            ./in/one:A
            ./other/b:B
            sees:
            ./in/three:B
            ./other:A
            sees:
            ./in:A
            sees:
            ");
        }
    }
}

#[tokio::test]
async fn a_command_that_changes_mounts_changes_nothing_for_the_next_datum() {
    let mut slot = Slot::privileged(MODES[0]).await;
    let (a, b) = (slot.file("a", "A\n"), slot.file("b", "B\n"));
    for harm in [
        "true",
        "mount --bind $STORE/b /pfs/in/f",
        "mount -t tmpfs none /pfs/in && echo strange > /pfs/in/strange",
        "mount -t tmpfs none /pfs/out && touch /pfs/out/strange",
        "umount /pfs/in/f",
        "umount -l /pfs",
        "mount -o remount,rw,bind /pfs && echo strange > /pfs/in/strange",
    ] {
        let mut order = slot.sh(&format!("{harm} || id -u | grep -vx 0"));
        order.inputs = Inputs::Fresh(vec![input(&b, "in/f", MountKind::File)]);
        let mut next = slot.sh(LIST);
        next.inputs = Inputs::Fresh(vec![input(&a, "in/f", MountKind::File)]);
        for each in [order, next] {
            let ending = slot.run(&each).await.ending;
            assert_eq!(ending, Ending::Exited(0), "{harm}: {}", slot.logged());
        }
        assert_eq!(
            slot.logged(),
            "stdout F sees:\nstdout F ./in/f:A\n",
            "{harm}"
        );
        assert!(slot.out("left").is_some(), "{harm}");
    }
}

#[tokio::test]
async fn a_fifo_delivers_all_of_a_large_file_each_time_it_is_read() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let large = slot.file("large", &"0123456789".repeat(100_000));
        let mut order = slot.sh("f=$PFS/in/f; wc -c < $f; head -c 5 $f; echo; tail -c 3 $f; echo; cmp $f $STORE/large && echo same");
        order.inputs = Inputs::Fresh(vec![input(&large, "in/f", MountKind::Fifo)]);
        let execution = slot.run(&order).await;
        assert_eq!(
            execution.ending,
            Ending::Exited(0),
            "{mode:?} {}",
            slot.logged()
        );
        let expected = "stdout F 1000000\nstdout F 01234\nstdout F 789\nstdout F same\n";
        assert_eq!(slot.logged(), expected, "{mode:?}");
    }
}

#[tokio::test]
async fn ten_thousand_fifos_that_nobody_reads_hold_up_nothing() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let source = slot.file("f", "some text");
        let mounts: Vec<Mount> = (0..10_000)
            .map(|number| input(&source, &format!("in/{number}"), MountKind::Fifo))
            .collect();
        let mut order = slot.sh("cat $PFS/in/9999; (exec cat $PFS/in/5 > /dev/null) & exit 0");
        order.inputs = Inputs::Fresh(mounts);
        assert_eq!(slot.run(&order).await.ending, Ending::Exited(0), "{mode:?}");
        assert!(
            slot.logged().contains("some text"),
            "{mode:?}: {}",
            slot.logged()
        );
    }
}

#[tokio::test]
async fn a_fifo_whose_source_vanished_ends_the_command_and_names_it() {
    let mut slot = Slot::with(crate::slot::MODES[0]).await;
    let source = slot.file("f", "some text");
    fs::remove_file(&source).unwrap();
    let mut order = slot.sh("cat $PFS/in/f; sleep 60");
    order.inputs = Inputs::Fresh(vec![input(&source, "in/f", MountKind::Fifo)]);
    match slot.run(&order).await.ending {
        Ending::NotStarted(message) => {
            assert!(message.contains("store/f cannot be read"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}
