//! Commands cannot change their inputs, whatever their user.

use std::fs;
use std::os::unix::fs::MetadataExt;

use drover_worker::runner::{Inputs, MountKind};

use crate::slot::{MODES, Slot, input};

#[tokio::test]
async fn writing_to_inputs_leaves_the_store_as_it_was() {
    for mode in MODES {
        let mut slot = Slot::with(mode).await;
        let (file, inner) = (slot.file("f", "precious"), slot.file("d/x", "precious"));
        let mut order = slot.sh(
            "cd $PFS; for f in in/f dir/x; do echo bad > $f; echo bad >> $f; chmod 600 $f; chmod +w $f && echo bad > $f; \
             sed -i s/p/q/ $f; mv $f $f.old; rm -f $f; touch -d 2001-01-01 $f; truncate -s 0 $f; done; rm -rf in dir; true",
        );
        order.inputs = Inputs::Fresh(vec![
            input(&file, "in/f", MountKind::File),
            input(inner.parent().unwrap(), "dir", MountKind::Dir),
        ]);
        let before: Vec<_> = [&file, &inner]
            .map(|file| fs::metadata(file).unwrap())
            .into();
        slot.run(&order).await;
        for (file, before) in [&file, &inner].into_iter().zip(before) {
            let after = fs::metadata(file).unwrap();
            assert_eq!(fs::read_to_string(file).unwrap(), "precious", "{mode:?}");
            assert_eq!(
                (after.mode(), after.mtime(), after.ino()),
                (before.mode(), before.mtime(), before.ino()),
                "{mode:?}"
            );
        }
        let mut again = slot.sh("cat $PFS/in/f $PFS/dir/x");
        again.inputs = Inputs::Same;
        slot.run(&again).await;
        assert_eq!(
            slot.logged(),
            "stdout P preciousprecious\n",
            "{mode:?}: a retry sees the inputs as they were"
        );
    }
}

#[tokio::test]
async fn file_systems_that_a_command_mounts_are_never_emptied() {
    let mut slot = Slot::privileged(MODES[0]).await;
    let precious = slot.file("precious/file", "here");
    let order = slot.sh(
        "for d in /pfs/out/a /tmp/b; do mkdir $d; mount --bind $STORE/precious $d || mount --rbind / $d; done; true",
    );
    slot.run(&order).await;
    let next = slot.command(&["true"]);
    let _ = slot
        .runner
        .run(&next, &tokio_util::sync::CancellationToken::new())
        .await;
    slot.runner.end().await;
    assert_eq!(fs::read_to_string(precious).unwrap(), "here");
}
