//! Expansion over real folders and buckets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use drover_shared::pipeline::Input::Cross;
use drover_shared::store::{Location, Store, StoreKey};

use super::*;
use crate::expand::StoreListings;

const FILES: [&str; 7] = [
    "in/a.b",
    "in/a/x",
    "in/a-b",
    "in/a0",
    "in/deep/er/file",
    "in/100%/ü #1",
    "other/y",
];

async fn folder(files: &[&str]) -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, file).unwrap();
    }
    let store = open(directory.path()).await;
    (directory, store)
}

async fn open(directory: &Path) -> Store {
    Store::open(&Location::Folder(directory.to_owned()))
        .await
        .unwrap()
}

async fn expanded(input: Input, store: &Store) -> Result<Vec<Datum>, ExpandError> {
    let pipeline = pipeline(input);
    let listings = StoreListings::open(&pipeline, store).await?;
    tokio::task::spawn_blocking(move || expand(&pipeline, Arc::new(listings))?.collect())
        .await
        .unwrap()
}

/// An error with all its causes.
fn told(error: ExpandError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

#[tokio::test]
async fn a_folder_and_a_bucket_expand_alike() {
    let (_directory, local) = folder(&FILES).await;
    let bucket = Store::in_memory();
    for file in FILES {
        bucket
            .put(&StoreKey::parse(file).unwrap(), file.into())
            .await
            .unwrap();
    }
    for glob in [
        "/",
        "/*",
        "/**",
        "/a*",
        "/*/*",
        "/deep/**",
        "/100%/*",
        "/deep/er/*",
        "/deep/er",
        "/deep/e*/f*",
        "/a/x",
        "/none/*",
    ] {
        let input = || Cross(vec![pfs("in", glob), pfs("other", "/*")]);
        let near: Vec<String> = expanded(input(), &local)
            .await
            .unwrap()
            .iter()
            .map(brief)
            .collect();
        let far: Vec<String> = expanded(input(), &bucket)
            .await
            .unwrap()
            .iter()
            .map(brief)
            .collect();
        let modelled = briefs(input(), &Memory::of(FILES.map(str::to_owned)));
        assert_eq!((&near, &far), (&modelled, &modelled), "{glob}");
    }
}

#[tokio::test]
async fn the_same_bytes_are_the_same_work_wherever_they_lie() {
    let (_one, first) = folder(&FILES).await;
    let (_other, second) = folder(&FILES).await;
    let ids = |datums: Vec<Datum>| datums.iter().map(|datum| datum.id).collect::<Vec<_>>();
    assert_eq!(
        ids(expanded(pfs("in", "/**"), &first).await.unwrap()),
        ids(expanded(pfs("in", "/**"), &second).await.unwrap())
    );
}

#[tokio::test]
async fn a_missing_folder_is_told_before_anything_is_listed() {
    let (directory, store) = folder(&["in/a"]).await;
    let missing = told(expanded(pfs("photos", "/*"), &store).await.unwrap_err());
    let folder = directory.path().join("photos");
    let expected = format!(
        "input \"photos\" reads {}, which is not a folder; create it, or read another place with `--input photos=DIR`",
        folder.display()
    );
    assert_eq!(missing, expected);
    fs::write(&folder, "a file").unwrap();
    assert_eq!(
        told(expanded(pfs("photos", "/*"), &store).await.unwrap_err()),
        expected
    );
}

#[tokio::test]
async fn an_empty_folder_has_no_datums_but_itself() {
    let (directory, store) = folder(&[]).await;
    fs::create_dir_all(directory.path().join("in/empty/inside")).unwrap();
    assert_eq!(expanded(pfs("in", "/**"), &store).await.unwrap(), []);
    assert_eq!(expanded(pfs("in", "/"), &store).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_disturbs_only_those_who_look_for_it() {
    let (directory, store) = folder(&["in/photo.jpg", "in/deep/photo.jpg"]).await;
    symlink("nowhere", directory.path().join("in/broken")).unwrap();
    let found = expanded(pfs("in", "/*.jpg"), &store).await.unwrap();
    assert_eq!(
        found.iter().map(brief).collect::<Vec<_>>(),
        ["in/photo.jpg"]
    );
    let found = expanded(without("in", "/*", &["/broken"]), &store)
        .await
        .unwrap();
    assert_eq!(
        found.iter().map(brief).collect::<Vec<_>>(),
        ["in/deep/", "in/photo.jpg"]
    );
    let error = told(expanded(pfs("in", "/*"), &store).await.unwrap_err());
    assert_eq!(
        error,
        "cannot list input \"in\": in/broken cannot be read as an input: it is a dangling link; remove the link or restore its target"
    );
}

#[tokio::test]
async fn the_output_folder_of_a_known_pipeline_may_be_missing() {
    let (directory, store) = folder(&["in/a"]).await;
    let read = || expanded(pfs("first", "/*"), &store);
    assert!(matches!(read().await, Err(ExpandError::NoRepo { .. })));
    let record = StoreKey::parse(".drover/pipelines/first/published").unwrap();
    store.put(&record, Vec::new().into()).await.unwrap();
    assert_eq!(read().await.unwrap(), [], "nothing was written yet");
    fs::create_dir(directory.path().join("first")).unwrap();
    fs::write(directory.path().join("first/x"), "x").unwrap();
    assert_eq!(read().await.unwrap().len(), 1);
}
