//! Priority and share of a pipeline.

use std::num::NonZeroU32;

use drover_core::catalog;
use drover_shared::pipeline::{Priority, Sharing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list::PipelinePath;
use crate::routing::api::Api;
use crate::routing::body::{Empty, JsonBody};
use crate::routing::error::Error;
use crate::routing::route::ApiRequest;

/// A change of priority and share; what is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SharingChange {
    /// The class.
    #[serde(default)]
    priority: Option<Priority>,
    /// The share within the class, from 1 to 100.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    share: Option<NonZeroU32>,
}

/// Priority and share of a pipeline.
#[derive(JsonSchema, Serialize)]
pub(crate) struct PipelineSharing {
    /// In force.
    #[serde(flatten)]
    counts: Sharing,
    /// By the spec.
    of_spec: Sharing,
}

pub(crate) async fn show(
    ApiRequest { api, path, .. }: ApiRequest<PipelinePath>,
) -> Result<PipelineSharing, Error> {
    of(&api, &path).await
}

pub(crate) async fn change(
    ApiRequest {
        api, path, body, ..
    }: ApiRequest<PipelinePath, Empty, JsonBody<SharingChange>>,
) -> Result<PipelineSharing, Error> {
    let SharingChange { priority, share } = body.0;
    let largest = Sharing::LARGEST_SHARE;
    if share.is_some_and(|share| share.get() > largest) {
        return Err(Error::unprocessable(format!(
            "a share is a number from 1 to {largest}"
        )));
    }
    let PipelineSharing { counts, of_spec } = of(&api, &path).await?;
    let counts = Sharing {
        priority: priority.unwrap_or(counts.priority),
        share: share.unwrap_or(counts.share),
    };
    save(&api, &path, Some(counts)).await?;
    Ok(PipelineSharing { counts, of_spec })
}

pub(crate) async fn reset(
    ApiRequest { api, path, .. }: ApiRequest<PipelinePath>,
) -> Result<PipelineSharing, Error> {
    let PipelineSharing { of_spec, .. } = of(&api, &path).await?;
    save(&api, &path, None).await?;
    Ok(PipelineSharing {
        counts: of_spec,
        of_spec,
    })
}

async fn of(api: &Api, path: &PipelinePath) -> Result<PipelineSharing, Error> {
    let name = &path.name;
    let found = catalog::sharing_of(api.ledger(), name).await?;
    let (counts, of_spec) = found.ok_or_else(|| {
        Error::not_found(format!(
            "the store has no pipeline {name}; GET /api/v1/jobs lists jobs of all pipelines"
        ))
    })?;
    Ok(PipelineSharing { counts, of_spec })
}

/// Saves a change and tells the workers, which find the change later if the broker is away.
async fn save(api: &Api, path: &PipelinePath, sharing: Option<Sharing>) -> Result<(), Error> {
    let broker = api.broker_handle().reachable();
    let saving =
        catalog::change_sharing(api.ledger(), broker.map(AsRef::as_ref), &path.name, sharing);
    if let Err(error) = saving.await? {
        tracing::debug!("the workers are not told of a changed share: {error}");
    }
    Ok(())
}
