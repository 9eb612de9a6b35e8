//! Finds the code files of a pipeline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drover_shared::datum::{CodeFile, ContentTag};
use drover_shared::pipeline::Pipeline;
use drover_shared::store::{Store, StoreKey};
use tokio::task::spawn_blocking;

use super::content::tag;
use super::error::CodeError;
use super::files::entry_files;
use super::named::NamedCode;
use super::objects::entry_objects;

/// The code files of a pipeline, sorted by name. `current` is the current directory; entries of `code` are searched there
/// and in the store. A process in the root directory has no code there, so its entries are searched in the store first.
///
/// # Errors
/// If an entry of `code` names no file, or a file of it cannot be read. Words of the command need not be files.
pub async fn find(
    pipeline: &Pipeline,
    current: &Path,
    store: &Store,
) -> Result<Vec<CodeFile>, CodeError> {
    let base = match &pipeline.transform.working_dir {
        Some(directory) => current.join(directory),
        None => current.to_owned(),
    };
    let (pipeline, store) = (pipeline.clone(), store.clone());
    let found = spawn_blocking(move || find_blocking(&pipeline, &base, &store));
    found.await.unwrap_or_else(|error| {
        Err(CodeError::Read {
            path: PathBuf::new(),
            source: error.into(),
        })
    })
}

fn find_blocking(
    pipeline: &Pipeline,
    base: &Path,
    store: &Store,
) -> Result<Vec<CodeFile>, CodeError> {
    let named = NamedCode::new(pipeline, base, store.local_root(), &variable);
    let mut files: BTreeMap<String, (ContentTag, PathBuf)> = named
        .files()
        .into_iter()
        .filter_map(|(name, path)| Some((name, (tag(&path).ok()?, path))))
        .collect();
    for entry in &pipeline.code {
        let found = search(entry, base, store)?;
        if found.is_empty() {
            return Err(CodeError::Missing {
                entry: entry.clone(),
            });
        }
        files.extend(found);
    }
    let files = files.into_iter();
    let files = files.map(|(name, (tag, path))| CodeFile { name, tag, path });
    Ok(files.collect())
}

/// A variable of commands, which have those of the current process.
#[expect(
    clippy::disallowed_methods,
    reason = "the variables are no settings of Drover"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Name, fingerprint and path of a file; the path of an object is empty.
type Found = (String, (ContentTag, PathBuf));

/// The files of an entry in the first place that has some.
fn search(entry: &str, base: &Path, store: &Store) -> Result<Vec<Found>, CodeError> {
    let is_root = base.parent().is_none();
    let first = if is_root {
        in_store(entry, store)?
    } else {
        in_folder(entry, base)?
    };
    if !first.is_empty() {
        return Ok(first);
    }
    if is_root {
        in_folder(entry, base)
    } else {
        in_store(entry, store)
    }
}

fn in_store(entry: &str, store: &Store) -> Result<Vec<Found>, CodeError> {
    if let Some(folder) = store.local_path(&StoreKey::root()) {
        return in_folder(entry, &folder);
    }
    let objects = entry_objects(entry, store)?.into_iter();
    Ok(objects
        .map(|(name, tag)| (name, (tag, PathBuf::new())))
        .collect())
}

fn in_folder(entry: &str, folder: &Path) -> Result<Vec<Found>, CodeError> {
    let tagged = |(name, path): (String, PathBuf)| match tag(&path) {
        Ok(tag) => Ok((name, (tag, path))),
        Err(source) => Err(CodeError::Read { path, source }),
    };
    entry_files(entry, folder)?
        .into_iter()
        .map(tagged)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use drover_shared::store::Location;

    use super::*;

    fn pipeline(cmd: &[&str], code: &[&str]) -> Pipeline {
        let spec = serde_json::json!({
            "pipeline": {"name": "p"},
            "transform": {"cmd": cmd, "placeholders": true, "env": {"PATH": "/usr/bin:/bin"}},
            "input": {"pfs": {"repo": "in", "glob": "/*"}},
            "code": code,
        });
        drover_shared::pipeline::from_value(&spec).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A folder with a store's output, a script, modules and a model.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "s.py",
            "lib/a.py",
            "lib/deep/b.py",
            "lib/__pycache__/a.pyc",
            "model.bin",
            "p/out.txt",
            ".drover/x",
            "in/a",
        ];
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        folder
    }

    async fn opened(folder: &Path) -> Store {
        let location = Location::Folder(folder.to_owned());
        Store::open(&location).await.unwrap()
    }

    /// A bucket in which each object holds its key.
    async fn bucket(keys: &[&str]) -> Store {
        let bucket = Store::in_memory();
        for key in keys {
            put(&bucket, key, key).await;
        }
        bucket
    }

    async fn put(store: &Store, key: &str, content: &str) {
        let key = StoreKey::parse(key).unwrap();
        let content = content.to_owned().into();
        store.put(&key, content).await.unwrap();
    }

    async fn names(
        cmd: &[&str],
        code: &[&str],
        folder: &Path,
        store: &Store,
    ) -> Result<Vec<String>, CodeError> {
        let found = find(&pipeline(cmd, code), folder, store).await?;
        Ok(found.into_iter().map(|file| file.name).collect())
    }

    #[tokio::test]
    async fn words_and_entries_name_files() {
        let folder = folder();
        let store = opened(folder.path()).await;
        let rows: [(&[&str], &[&str], &[&str]); 10] = [
            (&["/usr/bin/env", "s.py"], &[], &["s.py"]),
            (&["sh", "-c", "python3 s.py {} > model.bin"], &[], &["s.py"]),
            (
                &["cat", "lib", "missing", "p/out.txt", ".drover/x"],
                &[],
                &[],
            ),
            (&["true"], &["model.bin"], &["model.bin"]),
            (&["true"], &["lib"], &["lib/a.py", "lib/deep/b.py"]),
            (&["true"], &["lib/"], &["lib/a.py", "lib/deep/b.py"]),
            (&["true"], &["lib/*.py"], &["lib/a.py"]),
            (&["true"], &["lib/**.py"], &["lib/a.py", "lib/deep/b.py"]),
            (
                &["true"],
                &["*.{py,bin}", "l*"],
                &["lib/a.py", "lib/deep/b.py", "model.bin", "s.py"],
            ),
            (&["cat", "s.py"], &["s.py"], &["s.py"]),
        ];
        for (cmd, code, expected) in rows {
            let found = names(cmd, code, folder.path(), &store).await.unwrap();
            assert_eq!(found, expected, "{cmd:?} {code:?}");
        }
        for entry in ["nothing.py", "lib/*.txt", "none/*.py", "empty*"] {
            let error = names(&["true"], &[entry], folder.path(), &store)
                .await
                .unwrap_err();
            assert!(
                matches!(error, CodeError::Missing { .. }),
                "{entry}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn an_edited_file_gets_another_tag_and_a_touched_one_does_not() {
        let folder = folder();
        let pipeline = pipeline(&["python3", "s.py"], &["lib"]);
        let store = Store::in_memory();
        let files = async || find(&pipeline, folder.path(), &store).await.unwrap();
        let before = files().await;
        fs::write(folder.path().join("lib/a.py"), "lib/a.py").unwrap();
        assert_eq!(files().await, before);
        fs::write(folder.path().join("lib/a.py"), "lib/A.py").unwrap();
        let after = files().await;
        assert_ne!(after, before);
        fs::write(folder.path().join("lib/a.py"), "lib/a.py").unwrap();
        assert_eq!(files().await, before);
    }

    #[tokio::test]
    async fn the_working_directory_of_the_command_is_where_paths_begin() {
        let folder = folder();
        let mut pipeline = pipeline(&["python3", "a.py"], &["deep"]);
        let directory = folder.path().join("lib").display().to_string();
        pipeline.transform.working_dir = Some(directory);
        let found = find(&pipeline, Path::new("/"), &Store::in_memory())
            .await
            .unwrap();
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["a.py", "deep/b.py"]);
    }

    #[tokio::test]
    async fn entries_that_are_not_found_locally_are_objects_of_the_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let keys = [
            "code/a.py",
            "code/deep/b.py",
            "code/deep/c.txt",
            "code/__pycache__/a.pyc",
            "code-2/a.py",
            "model.bin",
            ".drover/jobs/x",
        ];
        let bucket = bucket(&keys).await;
        let all: &[&str] = &["code/a.py", "code/deep/b.py", "code/deep/c.txt"];
        let rows: [(&[&str], &[&str]); 8] = [
            (&["model.bin"], &["model.bin"]),
            (&["./model.bin"], &["model.bin"]),
            (&["code"], all),
            (&["./code/"], all),
            (&["code/*.py"], &["code/a.py"]),
            (&["code/**.py"], &["code/a.py", "code/deep/b.py"]),
            (&["code/d*"], &["code/deep/b.py", "code/deep/c.txt"]),
            (&["*.bin"], &["model.bin"]),
        ];
        for (code, expected) in rows {
            let found = names(&["true"], code, folder.path(), &bucket).await;
            assert_eq!(found.unwrap(), expected, "{code:?}");
        }
        for entry in [
            "cod",
            "none/*.py",
            "/code",
            "../code",
            ".drover/jobs/x",
            ".",
            "*.none",
        ] {
            let error = names(&["true"], &[entry], folder.path(), &bucket).await;
            let error = error.unwrap_err();
            assert!(
                matches!(error, CodeError::Missing { .. }),
                "{entry}: {error}"
            );
        }
    }

    #[tokio::test]
    async fn a_replaced_object_gets_another_tag() {
        let folder = tempfile::tempdir().unwrap();
        let bucket = bucket(&["lib/a.py", "lib/b.py"]).await;
        for entry in ["lib", "lib/a.py", "lib/*.py"] {
            let pipeline = pipeline(&["true"], &[entry]);
            let files = async || find(&pipeline, folder.path(), &bucket).await.unwrap();
            put(&bucket, "lib/a.py", "one").await;
            let before = files().await;
            assert_eq!(files().await, before, "{entry}");
            put(&bucket, "lib/a.py", "two").await;
            assert_ne!(files().await, before, "{entry}");
        }
    }

    #[tokio::test]
    async fn a_process_in_the_root_directory_looks_into_the_store_first() {
        let bucket = bucket(&["etc/hostname", "usr/bin/x"]).await;
        let pipeline = pipeline(&["true"], &["etc/hostname", "usr"]);
        let found = find(&pipeline, Path::new("/"), &bucket).await.unwrap();
        let names: Vec<&str> = found.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["etc/hostname", "usr/bin/x"]);
        assert!(found.iter().all(|file| file.path.as_os_str().is_empty()));
    }
}
