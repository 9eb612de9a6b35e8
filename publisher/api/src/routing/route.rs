//! From a request to a plain function and back: what is asked is parsed before the function sees it, what goes wrong has
//! one shape, and the types of the function are what the document says.

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::timeout;

use super::api::Api;
use super::error::{Error, Kind};
use super::openapi::{Document, Operation};
use crate::server::access::Role;

/// The largest body, in bytes.
pub(crate) const LARGEST_BODY: usize = 1024 * 1024;
/// How long a request may take, its body counted.
const LONGEST_REQUEST: Duration = Duration::from_secs(30);

/// What somebody asks of a route.
pub(crate) struct Ask<P = Nothing, Q = Nothing, B = Nothing> {
    pub(crate) api: Api,
    /// Who asks.
    pub(crate) role: Role,
    /// What stands in the path.
    pub(crate) path: P,
    /// What stands behind the question mark.
    pub(crate) query: Q,
    pub(crate) body: B,
}

/// No parameters, no body, no answer but the status.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Nothing {}

/// What is sent to a route.
pub(crate) trait Body: Sized {
    /// Reads what was sent as `kind`, a media type.
    fn read(kind: &str, bytes: &[u8]) -> Result<Self, Error>;
    /// Media types and schema of it; nothing if what is sent does not matter.
    fn schema(generator: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)>;
}

impl Body for Nothing {
    fn read(_: &str, _: &[u8]) -> Result<Self, Error> {
        Ok(Self {})
    }

    fn schema(_: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)> {
        None
    }
}

/// A JSON object; nothing at all is an empty one.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema> Body for JsonBody<T> {
    fn read(_: &str, bytes: &[u8]) -> Result<Self, Error> {
        let bytes = if bytes.is_empty() { b"{}" } else { bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Error::invalid(format!("the body is not what is expected: {error}")))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)> {
        let schema = generator.subschema_for::<T>().into();
        Some((&["application/json"], schema))
    }
}

/// All routes of the API, and the document about them.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) router: Router<Api>,
    pub(crate) document: Document,
}

impl Routes {
    /// Adds a route that answers with `status` and what `handler` gives.
    pub(crate) fn add<P, Q, B, A, F, H>(
        mut self,
        (method, path): (Method, &'static str),
        status: StatusCode,
        about: &'static str,
        handler: H,
    ) -> Self
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        B: Body + Send + 'static,
        A: Serialize + JsonSchema + 'static,
        F: Future<Output = Result<A, Error>> + Send + 'static,
        H: Fn(Ask<P, Q, B>) -> F + Clone + Send + Sync + 'static,
    {
        let operation = Operation::of::<P, Q, B, A>(self.document.generator(), status, about);
        self.document.add(&method, path, operation);
        let filter = MethodFilter::try_from(method).unwrap_or(MethodFilter::GET);
        let endpoint = move |State(api): State<Api>, request: Request| {
            let handler = handler.clone();
            let answer = async move { handler(ask(api, request).await?).await };
            async move {
                match timeout(LONGEST_REQUEST, answer).await {
                    Ok(Ok(answer)) => respond(status, &answer),
                    Ok(Err(error)) => error.into_response(),
                    Err(_) => Error::unavailable("this took longer than 30 s, and was given up")
                        .into_response(),
                }
            }
        };
        self.router = self.router.route(path, on(filter, endpoint));
        self
    }

    /// Adds a `GET` that answers `200`.
    pub(crate) fn get<P, Q, A, F, H>(
        self,
        path: &'static str,
        about: &'static str,
        handler: H,
    ) -> Self
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        A: Serialize + JsonSchema + 'static,
        F: Future<Output = Result<A, Error>> + Send + 'static,
        H: Fn(Ask<P, Q, Nothing>) -> F + Clone + Send + Sync + 'static,
    {
        self.add((Method::GET, path), StatusCode::OK, about, handler)
    }
}

async fn ask<P, Q, B>(api: Api, request: Request) -> Result<Ask<P, Q, B>, Error>
where
    P: DeserializeOwned + Send,
    Q: DeserializeOwned,
    B: Body,
{
    let (mut parts, body) = request.into_parts();
    let Path(path) = Path::from_request_parts(&mut parts, &api).await?;
    let Query(query) = Query::from_request_parts(&mut parts, &api).await?;
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let announced = header(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, LARGEST_BODY)
        .await
        .map_err(|_| too_large())?;
    let kind = header(CONTENT_TYPE).unwrap_or_default();
    let body = B::read(kind.split(';').next().unwrap_or_default().trim(), &bytes)?;
    Ok(Ask {
        api,
        role: parts.extensions.get().copied().unwrap_or(Role::Read),
        path,
        query,
        body,
    })
}

fn too_large() -> Error {
    Error::new(
        Kind::TooLarge,
        "the body is larger than 1 MiB, or was cut off",
    )
}

fn respond(status: StatusCode, answer: &impl Serialize) -> Response {
    if status == StatusCode::NO_CONTENT {
        return status.into_response();
    }
    (status, axum::Json(answer)).into_response()
}

impl From<PathRejection> for Error {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for Error {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}
