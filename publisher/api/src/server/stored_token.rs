//! The token of the store, created at the first start of a service.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use drover_shared::random::random_bytes;
use drover_shared::store::{Store, StoreError, StoreKey};
use rustix::fs::OFlags;

use super::access::Token;

/// Path of the token below the store.
const PLACE: &str = ".drover/token";
/// Maximum size of the file that is read.
const MAX_BYTES: u64 = 1024;
/// Random bytes of a new token.
const RANDOM_BYTES: usize = 32;
/// Hexadecimal digits of a new token: 128 bits.
const TOKEN_LENGTH: usize = 32;

/// A token of the store.
#[derive(Debug)]
pub struct StoredToken {
    /// The token for access control.
    pub token: Token,
    /// Text of the token, for the link to the page.
    pub text: Secret,
    /// True if the call created the token.
    pub is_new: bool,
}

/// A text that never appears in debug output.
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Secret")
    }
}

/// The token of a store could not be read or created.
#[derive(Debug, thiserror::Error)]
pub enum StoredTokenError {
    /// The file is no token: a link, a directory, too long, or with other characters.
    #[error("{place}: {problem}; delete it, and a new token is made")]
    Damaged {
        /// The file or key.
        place: String,
        /// Description of the problem.
        problem: &'static str,
    },
    /// Another user could read or replace the token.
    #[error("{0} can be read or changed by other users; run `chmod 600 {0}`, or delete it")]
    Exposed(String),
    /// The file cannot be read or written.
    #[error(
        "{place}: the token of this store cannot be used; run as its owner, or give --token-file"
    )]
    Io {
        /// The file.
        place: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads the token of a store, or creates the token. Of several services with a common start, a single one creates
/// the token and all use it.
pub async fn stored_token(store: &Store) -> Result<StoredToken, StoredTokenError> {
    let key = StoreKey::parse(PLACE)?;
    match store.local_path(&key) {
        Some(path) => in_folder(&path),
        None => in_bucket(store, &key).await,
    }
}

fn in_folder(path: &Path) -> Result<StoredToken, StoredTokenError> {
    let failed = |source| StoredTokenError::Io {
        place: path.display().to_string(),
        source,
    };
    let mut is_new = false;
    if path
        .symlink_metadata()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    {
        is_new = create(path).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .map_err(failed)?;
    let about = file.metadata().map_err(failed)?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(StoredTokenError::Damaged {
            place: path.display().to_string(),
            problem: "it is no file with a token",
        });
    }
    let owner = rustix::process::geteuid();
    let is_ours = about.uid() == owner.as_raw() || owner.is_root();
    if about.permissions().mode() & 0o077 != 0 || !is_ours {
        return Err(StoredTokenError::Exposed(path.display().to_string()));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    parsed(path.display().to_string(), &text, is_new)
}

/// Creates the file atomically with mode 0600; false if another process was faster.
fn create(path: &Path) -> io::Result<bool> {
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    std::fs::create_dir_all(&folder)?;
    let mut file = tempfile::NamedTempFile::new_in(&folder)?;
    writeln!(file, "{}", random()?)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

async fn in_bucket(store: &Store, key: &StoreKey) -> Result<StoredToken, StoredTokenError> {
    let failed = |source| StoredTokenError::Io {
        place: PLACE.to_owned(),
        source,
    };
    let mut is_new = false;
    let bytes = match store.get(key).await {
        Err(StoreError::Missing { .. }) => {
            let made = Bytes::from(random().map_err(failed)?);
            match store.create(key, made).await {
                Ok(()) => is_new = true,
                Err(StoreError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            store.get(key).await?
        }
        bytes => bytes?,
    };
    parsed(PLACE.to_owned(), &String::from_utf8_lossy(&bytes), is_new)
}

fn parsed(place: String, text: &str, is_new: bool) -> Result<StoredToken, StoredTokenError> {
    let text = text.trim_end();
    match text.parse() {
        Ok(token) => Ok(StoredToken {
            token,
            text: Secret(text.to_owned()),
            is_new,
        }),
        Err(problem) => Err(StoredTokenError::Damaged { place, problem }),
    }
}

fn random() -> io::Result<String> {
    let bytes = random_bytes::<RANDOM_BYTES>()?;
    Ok(blake3::hash(&bytes).to_hex()[..TOKEN_LENGTH].to_owned())
}

#[cfg(test)]
mod tests {
    use drover_shared::store::Location;

    use super::*;

    async fn store(folder: &Path) -> Store {
        let location = Location::folder(folder).unwrap();
        Store::open(&location).await.unwrap()
    }

    #[tokio::test]
    async fn a_token_is_made_once_and_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let first = stored_token(&store).await.unwrap();
        let again = stored_token(&store).await.unwrap();
        assert!(first.is_new && !again.is_new);
        assert!(first.token == again.token);
        assert_eq!(first.text.reveal().len(), TOKEN_LENGTH);
        let path = folder.path().join(PLACE);
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{first:?}").contains(first.text.reveal()));

        let other = tempfile::tempdir().unwrap();
        let another = stored_token(&self::store(other.path()).await)
            .await
            .unwrap();
        assert!(another.token != first.token);
    }

    #[tokio::test]
    async fn a_bucket_keeps_its_token_too() {
        let store = Store::in_memory();
        let first = stored_token(&store).await.unwrap();
        let again = stored_token(&store).await.unwrap();
        assert!(first.is_new && !again.is_new && first.token == again.token);
    }

    #[tokio::test]
    async fn a_file_that_others_could_have_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        stored_token(&store).await.unwrap();
        let path = folder.path().join(PLACE);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let refused = stored_token(&store).await.unwrap_err();
        assert!(matches!(refused, StoredTokenError::Exposed(_)), "{refused}");

        for damage in [&b""[..], b"two words\n", &[b'x'; 2000]] {
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, damage).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            let refused = stored_token(&store).await.unwrap_err();
            assert!(
                matches!(refused, StoredTokenError::Damaged { .. }),
                "{refused}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/proc/self/environ", &path).unwrap();
        let refused = stored_token(&store).await.unwrap_err();
        assert!(matches!(refused, StoredTokenError::Io { .. }), "{refused}");
    }
}
