//! Looks at store and broker from time to time, for readiness: traffic alone would not show their trouble.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::queue::Broker;
use crate::store::{Store, StoreError, layout};

/// Interval between two looks; a bucket is written more seldom.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const BUCKET_LOOKS: u32 = 6;

/// Size of the written object: a full disk takes empty files, and may take a few bytes more.
const PROBE_BYTES: usize = 64 * 1024;

/// The state of the store as of the last look. Cheap to clone; all clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<Option<String>>>);

impl Readiness {
    /// The reason why the store cannot be written.
    pub fn problem(&self) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Writes a small object to the store and asks the broker for alarms, for ever. `who` is unique to the process, and a
    /// legal name.
    pub async fn watch(
        &self,
        store: &Store,
        who: &str,
        broker: impl Fn() -> Option<Arc<dyn Broker>>,
    ) -> Infallible {
        let looks = if store.local_root().is_some() {
            1
        } else {
            BUCKET_LOOKS
        };
        for look in 0_u32.. {
            if look.is_multiple_of(looks) {
                self.set(check_writable(store, who).await.err());
            }
            if let Some(broker) = broker() {
                broker.probe_alarm().await;
            }
            sleep(LOOK_EVERY).await;
        }
        std::future::pending().await
    }

    fn set(&self, error: Option<StoreError>) {
        let problem = error.map(|error| format!("the store cannot be written: {error}"));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Writes a small object to the store and removes it again. `who` is unique to the process, and a legal name.
pub async fn check_writable(store: &Store, who: &str) -> Result<(), StoreError> {
    let key = layout::readiness_probe(who);
    store.put(&key, vec![0; PROBE_BYTES].into()).await?;
    store.delete(&key).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Location;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_cannot_be_written_is_a_problem_until_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Folder(folder.path().to_owned()))
            .await
            .unwrap();
        let records = folder.path().join(".drover");
        std::fs::write(&records, "no folder").unwrap();
        let readiness = Readiness::default();
        let watched = async {
            while readiness.problem().is_none() {
                sleep(LOOK_EVERY / 5).await;
            }
            std::fs::remove_file(&records).unwrap();
            while readiness.problem().is_some() {
                sleep(LOOK_EVERY / 5).await;
            }
        };
        tokio::select! {
            () = watched => {}
            never = readiness.watch(&store, "me", || None) => match never {},
        }
    }
}
