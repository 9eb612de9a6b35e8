//! Behaviour of folders only: links, special files, modes, the order of a walk on a real disk.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::Ordering;

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

use super::Folder;
use super::temporary::second_names::testing::without_links;
use crate::store::{StoreError, StoreKey};

fn key(text: &str) -> StoreKey {
    text.parse().unwrap()
}

/// A folder with the files, each holding its own path.
fn folder(files: &[&str]) -> (TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    for file in files {
        write(place.path(), file);
    }
    let folder = Folder::open(place.path()).unwrap();
    (place, folder)
}

fn write(root: &Path, file: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file).unwrap();
}

/// Walks a folder; returns paths, and errors as text.
fn walked(folder: &Folder, prefix: &str) -> Vec<String> {
    let mut walk = folder.walk(&key(prefix)).unwrap();
    let mut found = vec![];
    while let Some(entry) = walk.advance(&|_| true) {
        found.push(entry.map_or_else(|error| format!("! {error}"), |entry| entry.path));
    }
    found
}

#[test]
fn links_are_followed_inside_the_store_and_refused_where_they_leave_it() {
    let (place, folder) = folder(&["in/file", "other/deep/x", ".drover/secret"]);
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "outside");
    let link =
        |target: &Path, name: &str| symlink(target, place.path().join("in").join(name)).unwrap();
    link(Path::new("file"), "a-relative");
    link(&place.path().join("other"), "b-absolute");
    link(&outside.path().join("outside"), "c-leaves");
    link(outside.path(), "d-leaves");
    link(Path::new("nothing"), "e-dangles");
    link(Path::new("f-loop"), "f-loop");
    link(Path::new("."), "g-parent");
    link(&place.path().join(".drover/secret"), "h-ours");
    let found = walked(&folder, "in").join("\n");
    insta::assert_snapshot!(found, @"
    /a-relative
    /b-absolute/deep/x
    ! in/c-leaves cannot be read as an input: it is a link that leaves the store; copy the files in, or read their folder with `pfs.url` or --input
    ! in/d-leaves cannot be read as an input: it is a link that leaves the store; copy the files in, or read their folder with `pfs.url` or --input
    ! in/e-dangles cannot be read as an input: it is a dangling link; remove the link or restore its target
    ! in/f-loop cannot be read as an input: it is a link in a loop; remove the link
    /file
    ! in/g-parent cannot be read as an input: it is a link to a directory above it; remove the link
    ! in/h-ours cannot be read as an input: it is a link that leaves the store; copy the files in, or read their folder with `pfs.url` or --input
    ");
}

#[test]
fn a_repo_may_itself_be_a_link_to_elsewhere() {
    let (place, folder) = folder(&[]);
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "a/b");
    symlink("a", outside.path().join("c")).unwrap();
    symlink(outside.path(), place.path().join("in")).unwrap();
    assert_eq!(walked(&folder, "in"), ["/a/b", "/c/b"]);
}

#[test]
fn special_files_are_named_and_the_walk_continues() {
    let (place, folder) = folder(&["in/a", "in/z"]);
    mknodat(
        CWD,
        place.path().join("in/fifo"),
        FileType::Fifo,
        Mode::RUSR,
        0,
    )
    .unwrap();
    fs::write(
        place
            .path()
            .join("in")
            .join(OsStr::from_bytes(b"la\xfftin")),
        "x",
    )
    .unwrap();
    symlink("fifo", place.path().join("in/linked-fifo")).unwrap();
    let found = walked(&folder, "in").join("\n");
    insta::assert_snapshot!(found, @r#"
    /a
    ! in/fifo cannot be read as an input: it is a device, FIFO or socket; remove or exclude it
    ! in/la�tin cannot be read as an input: its name is not UTF-8; rename or exclude it
    ! in/linked-fifo cannot be read as an input: it is a link to a device, FIFO or socket; remove or exclude it
    /z
    "#);
}

#[test]
fn our_own_folder_is_no_input() {
    let (_place, folder) = folder(&["a/b", ".drover/jobs/x", "a/.drover/y"]);
    assert_eq!(walked(&folder, ""), ["/a/.drover/y", "/a/b"]);
    assert_eq!(walked(&folder, "a"), ["/b"]);
}

#[test]
fn whatever_stands_in_the_place_of_a_record_is_named_damage() {
    let (place, folder) = folder(&[".drover/jobs/good", ".drover/jobs/deep/file"]);
    let at = |name: &str| place.path().join(".drover/jobs").join(name);
    fs::create_dir(at("directory")).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    symlink("/dev/zero", at("zero")).unwrap();
    symlink("good", at("linked")).unwrap();
    symlink("deep", at("linked-deep")).unwrap();
    let huge = fs::File::create(at("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    let names = [
        "directory",
        "fifo",
        "zero",
        "linked",
        "linked-deep/file",
        "huge",
    ];
    for name in names {
        let key = key(&format!(".drover/jobs/{name}"));
        let read = folder.get(&key);
        assert!(
            matches!(read, Err(StoreError::Corrupt { .. })),
            "{name}: {read:?}"
        );
        let to = place.path().join("copy");
        if name != "huge" {
            let copied = folder.download(&key, &to);
            assert!(
                matches!(copied, Err(StoreError::Corrupt { .. })),
                "{name}: {copied:?}"
            );
        }
    }
    assert_eq!(
        folder.get(&key(".drover/jobs/good")).unwrap(),
        ".drover/jobs/good"
    );
    let missing = folder.get(&key(".drover/jobs/none"));
    assert!(
        matches!(missing, Err(StoreError::Missing { .. })),
        "{missing:?}"
    );
}

#[test]
fn drovers_own_folder_may_be_a_link_to_another_disk() {
    let (place, folder) = folder(&[]);
    let other = tempfile::tempdir().unwrap();
    symlink(other.path(), place.path().join(".drover")).unwrap();
    folder.put(&key(".drover/jobs/a"), b"x").unwrap();
    assert_eq!(folder.get(&key(".drover/jobs/a")).unwrap(), "x");
}

#[test]
fn a_folder_that_is_not_there_is_missing() {
    let (_place, folder) = folder(&["file"]);
    for prefix in ["none", "file", "file/below"] {
        assert!(
            matches!(folder.walk(&key(prefix)), Err(StoreError::Missing { .. })),
            "{prefix}"
        );
    }
    assert!(matches!(
        Folder::open(Path::new("/nonexistent")),
        Err(StoreError::Location { .. })
    ));
}

#[test]
fn stored_files_are_read_only() {
    let (place, folder) = folder(&["from", "part"]);
    folder
        .adopt(&place.path().join("from"), &key("adopted"))
        .unwrap();
    folder.link(&key("adopted"), &key("linked")).unwrap();
    folder
        .concat(&[key("part"), key("part")], &key("both"))
        .unwrap();
    for name in ["adopted", "linked", "both"] {
        let mode = fs::metadata(place.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o444, "{name}");
    }
}

#[test]
fn linking_takes_no_second_copy_and_leaves_nothing_behind() {
    let (place, folder) = folder(&["from"]);
    for _ in 0..3 {
        folder.link(&key("from"), &key("to")).unwrap();
    }
    let (from, to) = (
        fs::metadata(place.path().join("from")),
        fs::metadata(place.path().join("to")),
    );
    assert_eq!(from.unwrap().blocks(), to.unwrap().blocks());
    assert_eq!(
        fs::read_dir(place.path().join(".drover/tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn without_hard_links_everything_works_by_copies() {
    use rustix::io::Errno;
    for refusal in [Errno::PERM, Errno::OPNOTSUPP, Errno::XDEV, Errno::MLINK] {
        let (place, folder) = folder(&["from", "old"]);
        let read = |name: &str| fs::read(place.path().join(name)).unwrap();
        without_links(refusal, || {
            folder.reflinks.store(false, Ordering::Relaxed);
            for to in ["new", "old"] {
                folder.link(&key("from"), &key(to)).unwrap();
                assert_eq!(read(to), read("from"), "{refusal}");
            }
            folder.create(&key("record"), b"mine").unwrap();
            let again = folder.create(&key("record"), b"yours");
            assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
            assert_eq!(read("record"), b"mine", "{refusal}");
        });
        let left = fs::read_dir(place.path().join(".drover/tmp")).unwrap();
        assert_eq!(left.count(), 0, "{refusal}");
    }
}

#[test]
fn the_65001st_output_of_one_file_is_a_copy_of_it() {
    let (place, folder) = folder(&["from"]);
    let from = place.path().join("from");
    fs::create_dir(place.path().join("links")).unwrap();
    let links = (0..70_000).take_while(|n| {
        let link = place.path().join(format!("links/{n}"));
        fs::hard_link(&from, link).is_ok()
    });
    links.count();
    folder.link(&key("from"), &key("to")).unwrap();
    let read = |name: &str| fs::read(place.path().join(name)).unwrap();
    assert_eq!(read("to"), read("from"));
}

#[test]
fn a_file_can_replace_an_empty_directory_but_no_other() {
    let (place, folder) = folder(&["full/a"]);
    fs::create_dir(place.path().join("empty")).unwrap();
    folder.put(&key("empty"), b"x").unwrap();
    for refused in [
        folder.put(&key("full"), b"x"),
        folder.put(&key("empty/below"), b"x"),
    ] {
        assert!(
            matches!(refused, Err(StoreError::Name { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        fs::read_dir(place.path().join(".drover/tmp"))
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn a_name_that_the_file_system_cannot_hold_is_refused_by_name() {
    let (_place, folder) = folder(&[]);
    let long = "x".repeat(256);
    let refused = folder.put(&key(&long), b"x");
    assert!(matches!(refused, Err(StoreError::Name { name, .. }) if name == long));
}

#[test]
fn unfinished_files_of_a_killed_process_are_swept_when_they_are_old() {
    let (place, _) = folder(&[".drover/tmp/old", ".drover/tmp/young"]);
    let old = std::time::UNIX_EPOCH;
    let tmp = place.path().join(".drover/tmp");
    fs::File::options()
        .write(true)
        .open(tmp.join("old"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    Folder::open(place.path()).unwrap();
    assert!(!tmp.join("old").exists() && tmp.join("young").exists());
}

/// The content tag of each file in a folder, hashed or recalled.
fn tags(folder: &Folder, prefix: &str) -> Vec<String> {
    let mut walk = folder.walk(&key(prefix)).unwrap();
    let mut found = vec![];
    while let Some(entry) = walk.advance(&|_| true) {
        found.push(walk.tag(&entry.unwrap()).unwrap().to_string());
    }
    found
}

#[test]
fn new_content_of_the_same_size_and_modification_time_is_noticed() {
    let (place, folder) = folder(&["in/f"]);
    let file = place.path().join("in/f");
    let old_time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_577_836_800);
    let replace = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let opened = fs::File::options().write(true).open(&file).unwrap();
        opened.set_modified(old_time).unwrap();
    };
    replace(b"version=1");
    let first = tags(&folder, "in");
    assert_eq!(tags(&folder, "in"), first);
    replace(b"version=2");
    assert_ne!(tags(&folder, "in"), first);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_walk_finds_every_file_once_in_byte_order(paths in tree()) {
        let files: Vec<&str> = paths.iter().map(String::as_str).collect();
        let (_place, folder) = folder(&files);
        let expected: BTreeSet<String> = paths.iter().map(|path| format!("/{path}")).collect();
        let found = walked(&folder, "");
        prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
    }
}

/// Paths of files; no path is a directory of another.
fn tree() -> impl Strategy<Value = BTreeSet<String>> {
    let name = "[a-c.!0-]{1,3}".prop_filter("dots", |name| name != "." && name != "..");
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    prop::collection::btree_set(path, 0..20).prop_map(|paths| {
        let is_above = |path: &String| {
            paths
                .iter()
                .any(|other| other.starts_with(&format!("{path}/")))
        };
        paths
            .iter()
            .filter(|path| !is_above(path))
            .cloned()
            .collect()
    })
}
