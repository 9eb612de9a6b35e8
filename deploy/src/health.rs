//! The operator's health, which `/ready` reports: the Lease, the watches and the store.
//!
//! A lost broker connection does not make the operator unready, because a restart would not help; conditions report it.

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use drover_shared::causes::with_causes;

/// Time after which a failed watch counts as resumed. The watches retry at least every 30 seconds.
const WATCH_FAILURE_LASTS: Duration = Duration::from_secs(45);

/// The health of one operator.
#[derive(Debug)]
pub struct Health(Mutex<Failures>);

/// The current failures.
#[derive(Debug)]
struct Failures {
    lease: Option<String>,
    pipelines: Option<String>,
    watch: Option<(Instant, String)>,
    store: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self(Mutex::new(Failures {
            lease: Some("the Lease has not been read yet".to_owned()),
            pipelines: None,
            watch: None,
            store: None,
        }))
    }
}

impl Health {
    /// Records the outcome of a request about the Lease.
    pub fn lease(&self, failure: Option<&(dyn Error + 'static)>) {
        self.update(|failures| failures.lease = failure.map(|error| text("the Lease", error)));
    }

    /// Records the outcome of an access to the store.
    pub fn store(&self, failure: Option<&(dyn Error + 'static)>) {
        self.update(|failures| failures.store = failure.map(|error| text("the store", error)));
    }

    /// Records if the first list of pipelines has arrived.
    pub fn pipelines_listed(&self, are_listed: bool) {
        let missing = "the pipelines have not been listed yet";
        self.update(|failures| failures.pipelines = (!are_listed).then(|| missing.to_owned()));
    }

    /// Records the failure of a watch.
    pub fn watch_failed(&self, error: &(dyn Error + 'static)) {
        let failure = text("a watch", error);
        self.update(|failures| failures.watch = Some((Instant::now(), failure)));
    }

    /// Ok if the operator leads or could lead; otherwise all failures.
    pub fn readiness(&self) -> Result<(), String> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = failures.watch.as_ref();
        let watch = watch.filter(|(failed, _)| failed.elapsed() < WATCH_FAILURE_LASTS);
        let all = [
            failures.lease.as_deref(),
            failures.pipelines.as_deref(),
            watch.map(|(_, failure)| failure.as_str()),
            failures.store.as_deref(),
        ];
        let all: Vec<_> = all.into_iter().flatten().collect();
        if all.is_empty() {
            return Ok(());
        }
        Err(all.join("; "))
    }

    fn update(&self, change: impl FnOnce(&mut Failures)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn text(part: &str, error: &(dyn Error + 'static)) -> String {
    format!("{part}: {}", with_causes(error))
}
