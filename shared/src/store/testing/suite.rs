//! Conformance suite for every kind of store. Runs against a folder and memory here, and against buckets in the
//! workspace tests.

#![expect(
    clippy::unwrap_used,
    reason = "a broken promise is a panic that says which"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use futures::future::join_all;
use tokio::task::spawn_blocking;

use crate::store::{Store, StoreError, StoreKey};

/// Names that are difficult for some stores.
const ODD_NAMES: [&str; 16] = [
    "plain.txt",
    "two words",
    "100%",
    "100%25",
    "a%0Ab",
    "a%250Ab",
    "line\nfeed",
    "tab\tand\u{1b}escape",
    "back\\slash",
    "#hash?query&x=1",
    "[list]{brace}*star",
    "ümläut-日本語-🐑",
    "...",
    "-dash",
    ".hidden",
    "~tilde\"quote'",
];

/// Checks every promise on an empty store.
///
/// # Panics
/// When a promise is broken.
pub async fn suite(store: &Store) {
    put_bytes_are_read_back(store).await;
    the_first_of_many_creators_wins(store).await;
    a_changed_object_is_not_replaced(store).await;
    deleting_is_repeatable(store).await;
    names_are_sorted_and_directories_marked(store).await;
    names_are_listed_from_any_name_on(store).await;
    every_name_round_trips(store).await;
    a_walk_goes_in_the_order_of_keys(store).await;
    a_walk_can_be_pruned(store).await;
    a_walk_within_a_folder_lists_only_that_folder(store).await;
    a_changed_object_is_not_downloaded(store).await;
    files_are_adopted_and_downloaded(store).await;
    links_and_concatenations_replace(store).await;
    all_below_a_prefix_goes(store).await;
}

fn key(text: &str) -> StoreKey {
    text.parse().unwrap()
}

async fn put(store: &Store, text: &str, bytes: &'static str) {
    store
        .put(&key(text), Bytes::from_static(bytes.as_bytes()))
        .await
        .unwrap();
}

async fn text_at(store: &Store, at: &str) -> String {
    String::from_utf8(store.get(&key(at)).await.unwrap().to_vec()).unwrap()
}

async fn is_missing(store: &Store, at: &str) -> bool {
    matches!(store.get(&key(at)).await, Err(StoreError::Missing { .. }))
        && matches!(store.entry(&key(at)).await, Err(StoreError::Missing { .. }))
}

/// Paths of all files below a prefix; with `pruning`, directories named `no…` are skipped.
async fn walked(store: &Store, prefix: &str, pruning: bool) -> Vec<String> {
    let (store, prefix) = (store.clone(), key(prefix));
    let walk = move || {
        let walk = store.walk(&prefix)?;
        let walk = walk.pruned(move |directory| !(pruning && directory.contains("/no")));
        walk.map(|entry| entry.map(|entry| entry.path))
            .collect::<Result<Vec<_>, _>>()
    };
    spawn_blocking(walk).await.unwrap().unwrap()
}

async fn put_bytes_are_read_back(store: &Store) {
    assert!(is_missing(store, "put/a").await);
    put(store, "put/a", "one").await;
    let first = store.entry(&key("put/a")).await.unwrap();
    assert_eq!((first.path.as_str(), first.size), ("/put/a", 3));
    put(store, "put/a", "other").await;
    assert_eq!(text_at(store, "put/a").await, "other");
    let second = store.entry(&key("put/a")).await.unwrap();
    assert_ne!(first.version, second.version);
    assert!(is_missing(store, "put").await, "a directory is no object");
    assert!(is_missing(store, "put/a/b").await, "a file is no directory");
}

async fn the_first_of_many_creators_wins(store: &Store) {
    let texts: Vec<String> = (0..16).map(|n| format!("creator {n}")).collect();
    let at = key("create/once");
    let racers = texts
        .iter()
        .map(|text| store.create(&at, Bytes::from(text.clone())));
    let outcomes = join_all(racers).await;
    let winners: Vec<usize> = (0..16).filter(|n| outcomes[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert_eq!(text_at(store, "create/once").await, texts[winners[0]]);
    for outcome in outcomes {
        assert!(
            matches!(outcome, Ok(()) | Err(StoreError::Exists { .. })),
            "{outcome:?}"
        );
    }
}

async fn a_changed_object_is_not_replaced(store: &Store) {
    let at = key(".drover/replace/record");
    store.put(&at, Bytes::from_static(b"0")).await.unwrap();
    let (bytes, version) = store.get_versioned(&at).await.unwrap();
    assert_eq!(bytes, "0");
    let next = |text: String| store.replace(&at, Bytes::from(text), &version);
    let outcomes = join_all((1..9).map(|n| next(n.to_string()))).await;
    let winners: Vec<usize> = (0..8).filter(|n| outcomes[*n].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    let now = (winners[0] + 1).to_string();
    assert_eq!(store.get(&at).await.unwrap(), now);
    let late = next("late".to_owned()).await;
    assert!(matches!(late, Err(StoreError::Changed { .. })), "{late:?}");
    store.delete(&at).await.unwrap();
    let gone = next("gone".to_owned()).await;
    assert!(matches!(gone, Err(StoreError::Changed { .. })), "{gone:?}");
}

async fn deleting_is_repeatable(store: &Store) {
    put(store, "delete/deep/down/a", "x").await;
    put(store, "delete/b", "x").await;
    for _ in 0..2 {
        store.delete(&key("delete/deep/down/a")).await.unwrap();
        assert!(is_missing(store, "delete/deep/down/a").await);
    }
    assert_eq!(store.names(&key("delete")).await.unwrap(), ["b"]);
    // A file can take the name of an emptied directory.
    put(store, "delete/deep", "a file").await;
    assert_eq!(text_at(store, "delete/deep").await, "a file");
    store
        .delete_each(vec![
            key("delete/deep"),
            key("delete/b"),
            key("delete/none"),
        ])
        .await
        .unwrap();
    assert!(store.names(&key("delete")).await.unwrap().is_empty());
}

async fn names_are_sorted_and_directories_marked(store: &Store) {
    for at in ["names/b", "names/a/x", "names/a.b", "names/c/y/z"] {
        put(store, at, "x").await;
    }
    assert_eq!(
        store.names(&key("names")).await.unwrap(),
        ["a.b", "a/", "b", "c/"]
    );
    assert!(store.names(&key("names/none")).await.unwrap().is_empty());
    assert!(store.names(&key("names/b")).await.unwrap().is_empty());
}

async fn names_are_listed_from_any_name_on(store: &Store) {
    for at in ["pages/b", "pages/a/x", "pages/a/y", "pages/c"] {
        put(store, at, "x").await;
    }
    let rows: [(&str, &[&str]); 6] = [
        ("", &["a/", "b", "c"]),
        ("a", &["a/", "b", "c"]),
        ("a0", &["b", "c"]),
        ("b", &["c"]),
        ("bb", &["c"]),
        ("c", &[]),
    ];
    for (after, names) in rows {
        let page = store.names_after(&key("pages"), after).await.unwrap();
        assert_eq!(
            (&page.names[..], page.has_more),
            (&to_owned(names)[..], false),
            "{after}"
        );
    }
}

fn to_owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn every_name_round_trips(store: &Store) {
    for name in ODD_NAMES {
        let at = key("odd").join(name).unwrap().join(name).unwrap();
        store.put(&at, Bytes::from(name)).await.unwrap();
        assert_eq!(store.get(&at).await.unwrap(), name.as_bytes());
    }
    let expected: BTreeSet<String> = ODD_NAMES
        .iter()
        .map(|name| format!("/{name}/{name}"))
        .collect();
    let found: BTreeSet<String> = walked(store, "odd", false).await.into_iter().collect();
    assert_eq!(found, expected);
    let names: BTreeSet<String> = store
        .names(&key("odd"))
        .await
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(
        names,
        ODD_NAMES.iter().map(|name| format!("{name}/")).collect()
    );
    for name in ODD_NAMES {
        store
            .delete(&key("odd").join(name).unwrap().join(name).unwrap())
            .await
            .unwrap();
    }
    assert!(walked(store, "odd", false).await.is_empty());
}

async fn a_walk_goes_in_the_order_of_keys(store: &Store) {
    let mut paths = vec![
        "/a",
        "/a.b",
        "/a0",
        "/b/c",
        "/b/c.d/e",
        "/b/c0",
        "/b!",
        "/b-/x",
        "/ä/ö",
        "/b.c/d/e/f",
    ];
    for path in &paths {
        let at = format!("walk{path}");
        put(store, &at, "x").await;
    }
    paths.sort_unstable();
    assert_eq!(walked(store, "walk", false).await, paths);
    assert_eq!(
        walked(store, "walk/b", false).await,
        ["/c", "/c.d/e", "/c0"]
    );
    let whole = walked(store, "", false).await;
    assert!(whole.contains(&"/walk/b/c".to_owned()));
}

async fn a_walk_can_be_pruned(store: &Store) {
    for at in [
        "prune/a/x",
        "prune/no/y",
        "prune/b/no/z/deep",
        "prune/c",
        "prune/nofile",
    ] {
        put(store, at, "x").await;
    }
    assert_eq!(
        walked(store, "prune", true).await,
        ["/a/x", "/c", "/nofile"]
    );
}

async fn a_walk_within_a_folder_lists_only_that_folder(store: &Store) {
    for at in [
        "within/a/b/x",
        "within/a/b/c/y",
        "within/a/b.not",
        "within/a/z",
    ] {
        put(store, at, "x").await;
    }
    let store = store.clone();
    let walk = move || {
        let walk = store.walk_within(&key("within"), &key("within/a/b"))?;
        let walk = walk.pruned(|directory| directory != "/a/b/c");
        let paths = walk.map(|entry| entry.map(|entry| entry.path));
        paths.collect::<Result<Vec<_>, _>>()
    };
    let found = spawn_blocking(walk).await.unwrap().unwrap();
    let below: Vec<_> = found
        .iter()
        .filter(|path| path.starts_with("/a/b/"))
        .collect();
    assert_eq!(below, ["/a/b/x"]);
}

async fn a_changed_object_is_not_downloaded(store: &Store) {
    if store.local_root().is_some() {
        return; // a folder is read where it lies
    }
    put(store, "listed/a", "one").await;
    let at = key("listed/a");
    let (walked, prefix) = (store.clone(), key("listed"));
    let listed = spawn_blocking(move || walked.walk(&prefix).unwrap().next().unwrap().unwrap());
    let listed = listed.await.unwrap().version;
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("a");
    assert_eq!(store.download_listed(&at, &listed, &to).await.unwrap(), 3);
    fs::remove_file(&to).unwrap();
    put(store, "listed/a", "longer").await;
    let changed = store.download_listed(&at, &listed, &to).await;
    assert!(
        matches!(changed, Err(StoreError::Changed { .. })),
        "{changed:?}"
    );
    assert!(!to.exists(), "nothing is left of a refused download");
}

async fn files_are_adopted_and_downloaded(store: &Store) {
    let folder = tempfile::tempdir_in(store.local_root().unwrap_or(Path::new("/tmp"))).unwrap();
    for (name, size) in [("small", 5), ("empty", 0), ("large", 40 * 1024 * 1024 + 7)] {
        let bytes: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
        let from = folder.path().join(name);
        fs::write(&from, &bytes).unwrap();
        let at = key("adopt/deep").join(name).unwrap();
        store.adopt(&from, &at).await.unwrap();
        assert!(!from.exists(), "the file was moved");
        let to = folder.path().join("back");
        assert_eq!(store.download(&at, &to).await.unwrap(), u64::from(size));
        assert!(fs::read(&to).unwrap() == bytes, "{name} came back changed");
        assert!(
            store.download(&at, &to).await.is_err(),
            "a download replaces nothing"
        );
        fs::remove_file(to).unwrap();
    }
    let none = store
        .download(&key("adopt/none"), &folder.path().join("none"))
        .await;
    assert!(matches!(none, Err(StoreError::Missing { .. })));
    drop(folder);
    store.delete_all(&key("adopt")).await.unwrap();
}

async fn links_and_concatenations_replace(store: &Store) {
    put(store, "parts/1", "one,").await;
    put(store, "parts/2", "two").await;
    let (one, two) = (key("parts/1"), key("parts/2"));
    for _ in 0..2 {
        let told = store.link(&one, &key("out/deep/linked")).await.unwrap();
        let entry = store.entry(&key("out/deep/linked")).await.unwrap();
        assert_eq!(told, store.local_root().map(|_| entry));
        assert_eq!(text_at(store, "out/deep/linked").await, "one,");
    }
    store.link(&two, &key("out/deep/linked")).await.unwrap();
    assert_eq!(text_at(store, "out/deep/linked").await, "two");
    let parts = [one.clone(), two.clone(), one.clone()];
    let told = store.concat(&parts, &key("out/deep/linked")).await.unwrap();
    let entry = store.entry(&key("out/deep/linked")).await.unwrap();
    assert_eq!(entry.size, 11);
    assert_eq!(told, store.local_root().map(|_| entry));
    assert_eq!(text_at(store, "out/deep/linked").await, "one,twoone,");
    assert_eq!(
        text_at(store, "parts/2").await,
        "two",
        "the source stays as it is"
    );
    for failed in [
        store.link(&key("parts/none"), &key("out/x")).await,
        store.concat(&[one, key("parts/none")], &key("out/x")).await,
    ] {
        assert!(matches!(failed, Err(StoreError::Missing { key }) if key.as_str() == "parts/none"));
    }
    assert!(is_missing(store, "out/x").await);
}

async fn all_below_a_prefix_goes(store: &Store) {
    for at in ["gone/a", "gone/b/c", "gone/b/d/e", "gone.not", "goner/x"] {
        put(store, at, "x").await;
    }
    for _ in 0..2 {
        store.delete_all(&key("gone")).await.unwrap();
        assert!(store.names(&key("gone")).await.unwrap().is_empty());
    }
    assert_eq!(text_at(store, "gone.not").await, "x");
    assert_eq!(text_at(store, "goner/x").await, "x");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;

    #[tokio::test]
    async fn a_folder_is_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::folder(folder.path()).unwrap();
        suite(&Store::open(&location).await.unwrap()).await;
    }

    #[tokio::test]
    async fn memory_is_a_store() {
        suite(&Store::in_memory()).await;
    }
}
