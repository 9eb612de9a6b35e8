//! The stat cache: content hashes of the files of a folder, remembered by inode, times and size.
//!
//! Each walked folder has a cache file, sorted by path and read along with the walk. A walk rewrites the file from the
//! first difference on and renames the new file into place at the end. A failure of the cache only costs time.
//!
//! The change time of a file (`ctime`) is part of the key, because tools set the modification time back (`cp -p`,
//! `touch -d`, unpackers). Times have a grain, so a second change within the grain is invisible: a file that changed
//! shortly before its hash was taken is not remembered, as in git's index.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::{debug, warn};
use ulid::Ulid;

use super::file_stat::FileStat;

/// The first 16 bytes of a BLAKE3 hash.
pub(super) type ContentHash = [u8; 16];

/// Begins every cache file; the number is the version.
const MAGIC: &[u8; 16] = b"drover-hashes 2\n";

/// Begins the cache files of every version.
const MAGIC_NAME: &[u8] = b"drover-hashes ";

/// Coarsest grain of the times of a file system (FAT). A file that changed less than this before the read may change
/// again without a trace in its times.
const GRAIN_NS: u64 = 2_000_000_000;

/// The remembered hash of a file.
#[derive(Debug, Eq, PartialEq)]
struct CachedHash {
    path: String,
    stat: FileStat,
    hash: ContentHash,
}

/// Remembered hashes of a folder's files.
#[derive(Debug)]
pub(super) struct StatCache {
    /// Path of the cache file; none without a cache.
    file: Option<PathBuf>,
    old: Option<BufReader<File>>,
    /// The first old record after the walk's position.
    next: Option<CachedHash>,
    /// Current path of the walk.
    at: String,
    /// Number of leading bytes that the old and the new file share.
    same: u64,
    /// The new file, from the first difference on.
    new: Option<CacheRewrite>,
}

#[derive(Debug)]
struct CacheRewrite {
    path: PathBuf,
    file: BufWriter<File>,
}

impl StatCache {
    /// The cache for the folder with the real path `walked`, kept in the folder `caches`.
    pub(super) fn open(caches: Option<&Path>, walked: &Path) -> Self {
        let name = blake3::hash(walked.as_os_str().as_encoded_bytes()).to_hex();
        let file = caches.map(|caches| caches.join(&name[..32]));
        let mut cache = Self {
            old: file.as_deref().and_then(open_old),
            file,
            next: None,
            at: String::new(),
            same: 0,
            new: None,
        };
        if cache.old.is_some() {
            cache.same = MAGIC.len() as u64;
        }
        cache.read_next();
        cache
    }

    /// Moves to the file at `path`; skipped records belong to vanished files.
    pub(super) fn pass(&mut self, path: &str) {
        self.drop_until(path);
        path.clone_into(&mut self.at);
    }

    /// Skips the directory at `path` and keeps its records.
    pub(super) fn keep_below(&mut self, path: &str) {
        let below = format!("{path}/");
        self.drop_until(&below);
        while self
            .next
            .as_ref()
            .is_some_and(|record| record.path.starts_with(&below))
        {
            self.keep_next();
        }
    }

    /// The remembered hash of the current file, if the attributes still match.
    pub(super) fn recall(&mut self, path: &str, stat: FileStat) -> Option<ContentHash> {
        let hash = self
            .next
            .as_ref()
            .filter(|record| record.path == path && record.stat == stat)?
            .hash;
        self.keep_next();
        Some(hash)
    }

    /// Remembers the hash of the current file, which was read at `read_at`.
    pub(super) fn remember(
        &mut self,
        path: &str,
        stat: FileStat,
        hash: ContentHash,
        read_at: Timestamp,
    ) {
        if self.file.is_none() || is_racy(stat, read_at) {
            return;
        }
        self.change();
        if self.next.as_ref().is_some_and(|record| record.path == path) {
            self.read_next();
        }
        self.write(&CachedHash {
            path: path.to_owned(),
            stat,
            hash,
        });
    }

    /// Ends the walk: the remaining records belong to vanished files.
    pub(super) fn finish(&mut self) {
        if self.next.is_some() {
            // The hash of the last file may not have been requested.
            self.drop_until("\u{10ffff}");
        }
        self.save();
    }

    /// Drops the old records before `path`, except the record of the current file, whose hash was not requested.
    fn drop_until(&mut self, path: &str) {
        while let Some(record) = &self.next
            && record.path.as_str() < path
        {
            if record.path == self.at {
                self.keep_next();
            } else {
                self.change();
                self.read_next();
            }
        }
    }

    /// Copies the next old record unchanged.
    fn keep_next(&mut self) {
        if let Some(record) = self.next.take() {
            if self.new.is_some() {
                self.write(&record);
            } else {
                self.same += record.len();
            }
        }
        self.read_next();
    }

    fn read_next(&mut self) {
        let passed = self.next.take().map(|record| record.path);
        let Some(old) = &mut self.old else { return };
        match CachedHash::read(old) {
            Ok(Some(record)) if passed.is_none_or(|passed| passed < record.path) => {
                self.next = Some(record);
            }
            Ok(None) => self.old = None,
            Ok(Some(_)) | Err(_) => {
                warn!("the cache of content hashes is damaged; rebuilding it");
                self.old = None;
                self.change();
            }
        }
    }

    /// Marks the first difference between the new file and the old file.
    fn change(&mut self) {
        let Some(file) = &self.file else { return };
        if self.new.is_none() {
            match CacheRewrite::begin(file, self.same) {
                Ok(new) => self.new = Some(new),
                Err(error) => self.give_up(&error),
            }
        }
    }

    fn write(&mut self, record: &CachedHash) {
        if let Some(new) = &mut self.new
            && let Err(error) = record.write(&mut new.file)
        {
            self.give_up(&error);
        }
    }

    /// Renames the new file into place, if the walk wrote a new file.
    fn save(&mut self) {
        if let (Some(new), Some(file)) = (self.new.take(), &self.file)
            && let Err(error) = new.end(file)
        {
            self.give_up(&error);
        }
    }

    /// Goes on without remembering anything.
    fn give_up(&mut self, error: &io::Error) {
        warn!(%error, "the cache of content hashes cannot be written; the next run hashes the inputs again");
        self.file = None;
        self.new = None;
    }
}

impl Drop for StatCache {
    /// An interrupted walk keeps its new hashes and the records beyond its position.
    fn drop(&mut self) {
        if self.new.is_some() {
            while self.next.is_some() {
                self.keep_next();
            }
            self.save();
        }
    }
}

impl CacheRewrite {
    /// A new file that begins with the first `same` bytes of the old file, or with the magic.
    fn begin(file: &Path, same: u64) -> io::Result<Self> {
        let folder = file.parent().unwrap_or(file);
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("{}.tmp", Ulid::generate()));
        let mut new = Self {
            file: BufWriter::new(File::create_new(&path)?),
            path,
        };
        if same == 0 {
            new.file.write_all(MAGIC)?;
        } else {
            io::copy(&mut File::open(file)?.take(same), &mut new.file)?;
        }
        Ok(new)
    }

    fn end(mut self, file: &Path) -> io::Result<()> {
        self.file.flush()?;
        fs::rename(&self.path, file)
    }
}

impl Drop for CacheRewrite {
    fn drop(&mut self) {
        // Already gone if the rename succeeded.
        let _ = fs::remove_file(&self.path);
    }
}

/// The file at `path`, positioned after the magic; none if missing or of another version.
fn open_old(path: &Path) -> Option<BufReader<File>> {
    let mut old = BufReader::with_capacity(64 * 1024, File::open(path).ok()?);
    let mut magic = [0; MAGIC.len()];
    match old.read_exact(&mut magic) {
        Ok(()) if magic == *MAGIC => Some(old),
        Ok(()) if magic.starts_with(MAGIC_NAME) => {
            debug!("the cache of content hashes is of another version; rebuilding it");
            None
        }
        _ => {
            warn!("the cache of content hashes is damaged; rebuilding it");
            None
        }
    }
}

/// True if a change after `read_at` could leave the times of the file as they are.
fn is_racy(stat: FileStat, read_at: Timestamp) -> bool {
    let read_ns = i64::try_from(read_at.as_nanosecond()).unwrap_or(i64::MAX);
    let near = |time_ns: i64| time_ns.abs_diff(read_ns) <= GRAIN_NS;
    near(stat.modified_ns) || near(stat.changed_ns)
}

/// A record in the file: length of the path (2 bytes), path, inode, modification time, change time, size (8 each), hash
/// (16); little-endian.
impl CachedHash {
    fn len(&self) -> u64 {
        2 + self.path.len() as u64 + 32 + 16
    }

    fn write(&self, to: &mut impl Write) -> io::Result<()> {
        // Paths are shorter than 64 KiB: the kernel takes none longer than 4 KiB at once.
        let Ok(len) = u16::try_from(self.path.len()) else {
            return Ok(());
        };
        to.write_all(&len.to_le_bytes())?;
        to.write_all(self.path.as_bytes())?;
        to.write_all(&self.stat.inode.to_le_bytes())?;
        to.write_all(&self.stat.modified_ns.to_le_bytes())?;
        to.write_all(&self.stat.changed_ns.to_le_bytes())?;
        to.write_all(&self.stat.size.to_le_bytes())?;
        to.write_all(&self.hash)
    }

    /// The next record; none at the end of the file.
    fn read(from: &mut impl io::BufRead) -> io::Result<Option<Self>> {
        if from.fill_buf()?.is_empty() {
            return Ok(None);
        }
        let len = u16::from_le_bytes(array(from)?);
        let mut path = vec![0; usize::from(len)];
        from.read_exact(&mut path)?;
        Ok(Some(Self {
            path: String::from_utf8(path).map_err(io::Error::other)?,
            stat: FileStat {
                inode: u64::from_le_bytes(array(from)?),
                modified_ns: i64::from_le_bytes(array(from)?),
                changed_ns: i64::from_le_bytes(array(from)?),
                size: u64::from_le_bytes(array(from)?),
            },
            hash: array(from)?,
        }))
    }
}

fn array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const STAT: FileStat = FileStat {
        inode: 7,
        modified_ns: 1,
        changed_ns: 1,
        size: 3,
    };

    /// Walks over the files and requests the hashes of the `asked` ones; the hash of a file is its number. Returns the
    /// paths with a remembered hash.
    fn walk(
        caches: &Path,
        files: &BTreeMap<String, u8>,
        asked: impl Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut cache = StatCache::open(Some(caches), Path::new("/walked"));
        let mut recalled = vec![];
        for (path, number) in files {
            cache.pass(path);
            if asked(path) {
                match cache.recall(path, STAT) {
                    Some(hash) if hash == [*number; 16] => recalled.push(path.clone()),
                    Some(_) => panic!("a wrong hash for {path}"),
                    None => cache.remember(path, STAT, [*number; 16], Timestamp::now()),
                }
            }
        }
        cache.finish();
        recalled
    }

    fn files(paths: &[&str]) -> BTreeMap<String, u8> {
        paths
            .iter()
            .map(|path| ((*path).to_owned(), u8::try_from(path.len()).unwrap()))
            .collect()
    }

    #[test]
    fn a_second_walk_recalls_everything_and_writes_nothing() {
        let caches = tempfile::tempdir().unwrap();
        let files = files(&["/a", "/b/c", "/d"]);
        assert!(walk(caches.path(), &files, |_| true).is_empty());
        let file = fs::read_dir(caches.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let written = fs::metadata(&file).unwrap().modified().unwrap();
        assert_eq!(walk(caches.path(), &files, |_| true).len(), 3);
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written);
    }

    #[test]
    fn hashes_of_skipped_files_stay_remembered() {
        let caches = tempfile::tempdir().unwrap();
        let all = files(&["/a", "/b/c", "/b/d", "/e", "/f"]);
        walk(caches.path(), &all, |_| true);
        // A walk with another glob requests other files …
        assert_eq!(walk(caches.path(), &all, |path| path == "/e"), ["/e"]);
        // … a pruned walk skips a directory and finds a new file …
        let mut cache = StatCache::open(Some(caches.path()), Path::new("/walked"));
        cache.pass("/a");
        cache.keep_below("/b");
        for (path, known) in [("/e", true), ("/ee", false)] {
            cache.pass(path);
            assert_eq!(cache.recall(path, STAT).is_some(), known, "{path}");
            cache.remember(path, STAT, [2; 16], Timestamp::now());
        }
        // … and is interrupted before the end.
        drop(cache);
        assert_eq!(walk(caches.path(), &all, |_| true).len(), 5);
    }

    #[test]
    fn a_damaged_cache_is_made_again() {
        let caches = tempfile::tempdir().unwrap();
        let all = files(&["/a", "/b/c", "/d"]);
        walk(caches.path(), &all, |_| true);
        let file = fs::read_dir(caches.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let whole = fs::read(&file).unwrap();
        for end in 0..whole.len() {
            fs::write(&file, &whole[..end]).unwrap();
            walk(caches.path(), &all, |_| true);
            assert_eq!(
                walk(caches.path(), &all, |_| true).len(),
                3,
                "cut off at {end}"
            );
        }
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_no_error() {
        let all = files(&["/a", "/b"]);
        assert!(walk(Path::new("/proc/nowhere"), &all, |_| true).is_empty());
    }

    #[test]
    fn a_file_that_changed_within_the_grain_of_its_read_is_not_remembered() {
        let caches = tempfile::tempdir().unwrap();
        let read_at = Timestamp::now();
        let at = |seconds| {
            let time = read_at + jiff::SignedDuration::from_secs(seconds);
            i64::try_from(time.as_nanosecond()).unwrap()
        };
        let rows = [
            (at(-60), at(-60), true),
            (at(-1), at(-60), false),
            (at(-60), at(-1), false),
            (at(-60), at(1), false),
            (at(3600), at(-60), true),
        ];
        for (n, (modified_ns, changed_ns, remembered)) in rows.into_iter().enumerate() {
            let stat = FileStat {
                modified_ns,
                changed_ns,
                ..STAT
            };
            let walked = PathBuf::from(format!("/walked-{n}"));
            let mut cache = StatCache::open(Some(caches.path()), &walked);
            cache.pass("/a");
            cache.remember("/a", stat, [1; 16], read_at);
            cache.finish();
            let mut cache = StatCache::open(Some(caches.path()), &walked);
            cache.pass("/a");
            assert_eq!(cache.recall("/a", stat).is_some(), remembered, "row {n}");
        }
    }

    #[test]
    fn a_cache_of_an_older_version_is_rebuilt() {
        let caches = tempfile::tempdir().unwrap();
        let all = files(&["/a", "/b/c"]);
        walk(caches.path(), &all, |_| true);
        let file = fs::read_dir(caches.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let mut old = fs::read(&file).unwrap();
        old[..MAGIC.len()].copy_from_slice(b"drover-hashes 1\n");
        fs::write(&file, old).unwrap();
        assert!(walk(caches.path(), &all, |_| true).is_empty());
        assert_eq!(walk(caches.path(), &all, |_| true).len(), 2);
    }

    proptest! {
        #[test]
        fn a_walk_recalls_the_files_of_the_previous_walk(
            before in prop::collection::btree_map("/[a-d]{1,2}(/[a-d])?", 0u8..1, 0..12),
            after in prop::collection::btree_map("/[a-d]{1,2}(/[a-d])?", 0u8..1, 0..12),
        ) {
            let caches = tempfile::tempdir().unwrap();
            walk(caches.path(), &before, |_| true);
            let common: Vec<String> = after.keys().filter(|path| before.contains_key(*path)).cloned().collect();
            prop_assert_eq!(walk(caches.path(), &after, |_| true), common);
            prop_assert_eq!(walk(caches.path(), &after, |_| true).len(), after.len());
        }
    }
}
