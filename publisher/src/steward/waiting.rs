//! Why standing pipelines cannot start, for people.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drover_shared::id::PipelineName;

/// What keeps pipelines from starting jobs, as far as this process knows. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<Mutex<HashMap<PipelineName, String>>>);

impl Waiting {
    /// Notes that a pipeline cannot start, for example because it `reads in, which does not exist yet`; none: it can.
    pub fn note(&self, pipeline: &PipelineName, why: Option<String>) {
        let mut waiting = self.lock();
        match why {
            Some(why) => drop(waiting.insert(pipeline.clone(), why)),
            None => drop(waiting.remove(pipeline)),
        }
    }

    /// Why a pipeline cannot start, if it cannot.
    pub fn why(&self, pipeline: &PipelineName) -> Option<String> {
        self.lock().get(pipeline).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PipelineName, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
