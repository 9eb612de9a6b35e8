//! Looks inputs up, and has them downloaded once.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::{interval, sleep};

use super::directory::CacheDirectory;
use super::entry::{CachedInput, EntryPaths};
use super::name_lock::NameLock;
use crate::flow_error::{FlowError, InfrastructureError};
use crate::metrics::{self, CacheLookup};

/// Smaller inputs are downloaded for each datum: what a cache saves is bytes.
const SMALLEST: u64 = 1 << 20;

/// The default limit is a tenth of the file system, and no more than this.
const MOST_BY_DEFAULT: u64 = 10 << 30;

/// Interval between two looks for an input that another task downloads.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Interval at which a download shows life.
const LIFE_EVERY: Duration = Duration::from_secs(3);

/// A download without a sign of life for so long is not waited for: the process is frozen.
const FROZEN_AFTER: Duration = Duration::from_secs(30);

/// The cache of a machine, beside the scratch directories of the workers. Made at the first use.
#[derive(Debug)]
pub(crate) struct NodeCache {
    path: PathBuf,
    /// Bytes; 0 switches the cache off.
    limit: u64,
    directory: OnceLock<Option<Arc<CacheDirectory>>>,
}

/// The default limit in bytes of a cache on a file system of `total` bytes.
fn default_limit(total: u64) -> u64 {
    (total / 10).min(MOST_BY_DEFAULT)
}

impl NodeCache {
    /// The cache below `parent`, the directory of the workers' scratch directories. `limit` is in bytes; by default as
    /// [`default_limit`] says.
    pub(crate) fn new(parent: &Path, limit: Option<u64>) -> Self {
        let by_default = || {
            let found = rustix::fs::statvfs(parent);
            found.map_or(0, |found| default_limit(found.f_blocks * found.f_frsize))
        };
        Self {
            path: parent.join("cache"),
            limit: limit.unwrap_or_else(by_default),
            directory: OnceLock::new(),
        }
    }

    /// The input that `identity` stands for, of `size` bytes. `fill` downloads the input to the given path unless the cache has the input; of
    /// several tasks and workers a single one downloads while the rest wait. None if the cache cannot hold the input, which is downloaded
    /// for the datum alone then.
    ///
    /// # Errors
    /// Those of `fill`, and of the file system while the entry is kept.
    pub(crate) async fn get<F: Future<Output = Result<(), FlowError>>>(
        &self,
        identity: &str,
        size: u64,
        fill: impl FnOnce(PathBuf) -> F,
    ) -> Result<Option<CachedInput>, FlowError> {
        let Some(directory) = self.directory_for(size) else {
            return Ok(None);
        };
        let name = &blake3::hash(identity.as_bytes()).to_hex()[..32];
        let entry = directory.entry(name);
        let lookup = match find_or_lock(&entry).await {
            Ok(Lookup::Missing(lock)) => {
                make_room(directory, entry.clone(), lock, size, self.limit).await
            }
            lookup => lookup,
        };
        match lookup {
            Ok(Lookup::Found(found)) => {
                metrics::looked_up(CacheLookup::Hit);
                Ok(Some(found))
            }
            Ok(Lookup::Missing(lock)) => {
                metrics::looked_up(CacheLookup::Miss);
                make(entry, lock, size, fill).await
            }
            Ok(Lookup::NoRoom) => {
                metrics::looked_up(CacheLookup::Bypass);
                Ok(None)
            }
            Err(error) => {
                metrics::looked_up(CacheLookup::Bypass);
                tracing::debug!("the cache {} is not used: {error}", self.path.display());
                Ok(None)
            }
        }
    }

    /// The directory, for an input of `size` bytes; none if the cache is off or cannot hold the input.
    fn directory_for(&self, size: u64) -> Option<&Arc<CacheDirectory>> {
        if size < SMALLEST || size > self.limit {
            return None;
        }
        let open = || match CacheDirectory::open(self.path.clone()) {
            Ok(directory) => Some(Arc::new(directory)),
            Err(error) => {
                let path = self.path.display();
                tracing::warn!("inputs are not cached in {path}: {error}");
                None
            }
        };
        self.directory.get_or_init(open).as_ref()
    }
}

/// The result of a look into the cache.
enum Lookup {
    Found(CachedInput),
    /// To be made by the holder of the lock.
    Missing(NameLock),
    /// Too much is in use, or another process that makes the entry is frozen.
    NoRoom,
}

/// Finds the entry or takes the lock of the name. Waits while another holder of the lock shows life.
async fn find_or_lock(entry: &EntryPaths) -> io::Result<Lookup> {
    let (mut last_life, mut since) = (None, Instant::now());
    loop {
        // Taken before the look: the entry may be finished between the two.
        let lock = entry.try_lock()?;
        if let Some(found) = blocking(entry, EntryPaths::find).await? {
            return Ok(Lookup::Found(found));
        }
        if let Some(lock) = lock {
            return Ok(Lookup::Missing(lock));
        }
        let life = entry.last_life();
        if life != last_life {
            (last_life, since) = (life, Instant::now());
        } else if since.elapsed() > FROZEN_AFTER {
            return Ok(Lookup::NoRoom);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Makes room for the entry of the lock. A changed or half-made entry of the name is removed.
async fn make_room(
    directory: &Arc<CacheDirectory>,
    entry: EntryPaths,
    mut lock: NameLock,
    size: u64,
    limit: u64,
) -> io::Result<Lookup> {
    let directory = Arc::clone(directory);
    let making = spawn_blocking(move || {
        entry.remove()?;
        if !directory.make_room(size, limit)? {
            return Ok(Lookup::NoRoom);
        }
        lock.reserve(size)?;
        Ok(Lookup::Missing(lock))
    });
    making.await.map_err(io::Error::other)?
}

/// Has the entry filled, and keeps it.
async fn make<F: Future<Output = Result<(), FlowError>>>(
    entry: EntryPaths,
    lock: NameLock,
    size: u64,
    fill: impl FnOnce(PathBuf) -> F,
) -> Result<Option<CachedInput>, FlowError> {
    let scratch = |error| InfrastructureError::scratch(entry.part())(error);
    let filled = alive(&lock, fill(entry.part().to_owned())).await;
    let kept = match filled {
        Ok(()) => {
            let kept = blocking(&entry, move |entry| {
                entry.keep(size)?;
                entry.find()
            });
            kept.await.map_err(scratch)
        }
        Err(error) => Err(error),
    };
    if kept.is_err() {
        let _ = blocking(&entry, EntryPaths::remove).await;
    }
    kept
}

/// Does the work, and shows waiting tasks signs of life.
async fn alive<T>(lock: &NameLock, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut ticks = interval(LIFE_EVERY);
    loop {
        tokio::select! {
            done = &mut work => return done,
            // Where the time cannot be set, others wait no longer than for a frozen process.
            _ = ticks.tick() => drop(lock.show_life()),
        }
    }
}

/// Runs blocking work on an entry on a blocking thread.
async fn blocking<T: Send + 'static>(
    entry: &EntryPaths,
    work: impl FnOnce(&EntryPaths) -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let entry = entry.clone();
    let done = spawn_blocking(move || work(&entry)).await;
    done.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    /// Fills entries with a file, and counts them.
    #[derive(Default)]
    struct Downloads(AtomicUsize);

    impl Downloads {
        async fn get(&self, cache: &NodeCache, name: &str, size: u64) -> Option<CachedInput> {
            let fill = |to: PathBuf| async move {
                self.0.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(20)).await;
                fs::write(to, name).unwrap();
                Ok(())
            };
            cache.get(name, size, fill).await.unwrap()
        }

        fn count(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_input_is_downloaded_once_for_all_workers_and_their_tasks() {
        let scratch = tempfile::tempdir().unwrap();
        let workers = [1, 2].map(|_| NodeCache::new(scratch.path(), Some(SMALLEST)));
        let downloads = Downloads::default();
        let tasks = (0..20).map(|n| downloads.get(&workers[n % 2], "model", SMALLEST));
        for found in join_all(tasks).await {
            let path = found.unwrap().path().to_owned();
            assert_eq!(fs::read_to_string(&path).unwrap(), "model");
            assert!(path.metadata().unwrap().permissions().readonly());
        }
        assert_eq!(downloads.count(), 1);
        drop(workers);
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            0,
            "left behind"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_cache_stays_below_its_limit_and_keeps_what_is_in_use() {
        let scratch = tempfile::tempdir().unwrap();
        let cache = NodeCache::new(scratch.path(), Some(2 * SMALLEST));
        let downloads = Downloads::default();
        let get = |name: &'static str| downloads.get(&cache, name, SMALLEST);
        let used = get("a").await.unwrap();
        drop(get("b").await.unwrap());
        let other = get("c").await.unwrap();
        assert!(used.path().exists() && other.path().exists());
        assert!(get("d").await.is_none(), "all of the cache is in use");
        assert_eq!(downloads.count(), 3);
        assert!(get("a").await.is_some());
        drop((used, other));
        drop(get("c").await);
        drop(get("d").await.unwrap());
        assert!(
            get("c").await.is_some() && downloads.count() == 4,
            "a was used longest ago"
        );
        assert!(downloads.get(&cache, "small", 1).await.is_none());
        assert!(downloads.get(&cache, "large", 3 * SMALLEST).await.is_none());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_entry_that_was_changed_or_left_half_done_is_downloaded_again() {
        let scratch = tempfile::tempdir().unwrap();
        let cache = NodeCache::new(scratch.path(), Some(SMALLEST));
        let downloads = Downloads::default();
        let get = || downloads.get(&cache, "model", SMALLEST);
        let path = get().await.unwrap().path().to_owned();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "mode1").unwrap();
        assert_eq!(
            fs::read_to_string(get().await.unwrap().path()).unwrap(),
            "model"
        );
        // As by a worker that was killed before the seal.
        fs::remove_file(path.with_extension("seal")).unwrap();
        fs::write(path.with_extension("part"), "mo").unwrap();
        fs::write(path.with_extension("lock"), "").unwrap();
        assert_eq!(
            fs::read_to_string(get().await.unwrap().path()).unwrap(),
            "model"
        );
        assert_eq!(downloads.count(), 3);
    }

    #[tokio::test]
    async fn a_download_that_fails_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let cache = NodeCache::new(scratch.path(), Some(SMALLEST));
        let fill = |to: PathBuf| async move {
            fs::write(&to, "half").unwrap();
            Err(InfrastructureError::scratch(to)(io::Error::other("no")))
        };
        assert!(cache.get("model", SMALLEST, fill).await.is_err());
        let left = fs::read_dir(scratch.path().join("cache")).unwrap();
        assert_eq!(left.count(), 1, "the lock of the workers");
    }

    #[test]
    fn the_default_limit_is_a_tenth_of_the_file_system() {
        assert_eq!(default_limit(50 << 30), 5 << 30);
        assert_eq!(default_limit(u64::MAX), MOST_BY_DEFAULT);
    }
}
