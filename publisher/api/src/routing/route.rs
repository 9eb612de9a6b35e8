//! Adapts plain functions to HTTP: parses requests before the function is called, gives errors one shape, and
//! describes the types of the function in the `OpenAPI` document.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use drover_shared::id::IdempotencyKey;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::api::Api;
use super::body::{Body, Empty};
use super::error::{Error, ErrorKind};
use super::openapi::{Document, Operation};
use super::role::Role;

/// Maximum size of a body in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Maximum duration of a request, including the transfer of the body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// A parsed request.
pub(crate) struct ApiRequest<P = Empty, Q = Empty, B = Empty> {
    pub(crate) api: Api,
    /// Role of the client.
    pub(crate) role: Role,
    /// Parameters in the path.
    pub(crate) path: P,
    /// Parameters in the query.
    pub(crate) query: Q,
    pub(crate) body: B,
    /// The header `Idempotency-Key`.
    pub(crate) key: Option<IdempotencyKey>,
}

/// Header with the name that a client gives to a request, so that repeating the request starts no second job.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The routes of the API, and the document about them.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) router: Router<Api>,
    pub(crate) document: Document,
}

impl Routes {
    /// Adds a route that answers with `status` and the result of `handler`.
    pub(crate) fn add<P, Q, B, A, F, H>(
        self,
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
        H: Fn(ApiRequest<P, Q, B>) -> F + Clone + Send + Sync + 'static,
    {
        let mut routes = self;
        let operation = Operation::of::<P, Q, B, A>(routes.document.generator(), status, about);
        routes.add_with(method, path, operation, handler, move |answer| {
            respond(status, &answer)
        })
    }

    /// Adds a route to `GET` bytes of the media type `kind`.
    pub(crate) fn bytes<P, Q, F, H>(
        self,
        path: &'static str,
        kind: &'static str,
        about: &'static str,
        handler: H,
    ) -> Self
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        Q: DeserializeOwned + JsonSchema + Send + 'static,
        F: Future<Output = Result<Response, Error>> + Send + 'static,
        H: Fn(ApiRequest<P, Q, Empty>) -> F + Clone + Send + Sync + 'static,
    {
        let mut routes = self;
        let operation = Operation::bytes::<P, Q>(routes.document.generator(), kind, about);
        routes.add_with(Method::GET, path, operation, handler, |answer| answer)
    }

    fn add_with<P, Q, B, A, F, H>(
        mut self,
        method: Method,
        path: &'static str,
        operation: Operation,
        handler: H,
        respond: impl Fn(A) -> Response + Clone + Send + Sync + 'static,
    ) -> Self
    where
        P: DeserializeOwned + Send + 'static,
        Q: DeserializeOwned + Send + 'static,
        B: Body + Send + 'static,
        A: 'static,
        F: Future<Output = Result<A, Error>> + Send + 'static,
        H: Fn(ApiRequest<P, Q, B>) -> F + Clone + Send + Sync + 'static,
    {
        let known: Arc<[String]> = operation.query_names().into();
        self.document.add(&method, path, operation);
        let filter = MethodFilter::try_from(method).unwrap_or(MethodFilter::GET);
        let endpoint = move |State(api): State<Api>, request: Request| {
            let (handler, known) = (handler.clone(), Arc::clone(&known));
            let respond = respond.clone();
            let answer = async move {
                refuse_unknown(request.uri().query(), &known)?;
                handler(extract(api, request).await?).await
            };
            async move {
                match timeout(REQUEST_TIMEOUT, answer).await {
                    Ok(Ok(answer)) => respond(answer),
                    Ok(Err(error)) => error.into_response(),
                    Err(_) => {
                        Error::unavailable("the request took longer than 30 s and was cancelled")
                            .into_response()
                    }
                }
            }
        };
        self.router = self.router.route(path, on(filter, endpoint));
        self
    }

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
        H: Fn(ApiRequest<P, Q, Empty>) -> F + Clone + Send + Sync + 'static,
    {
        self.add((Method::GET, path), StatusCode::OK, about, handler)
    }
}

/// Refuses query parameters that the route does not have: a misspelt filter would match everything.
fn refuse_unknown(query: Option<&str>, known: &[String]) -> Result<(), Error> {
    let names = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split('=').next());
    let Some(unknown) = names
        .filter(|name| !name.is_empty())
        .find(|name| !known.iter().any(|known| known == name))
    else {
        return Ok(());
    };
    let advice = match known {
        [] => "this path has no parameters".to_owned(),
        known => format!("the parameters are {}", known.join(", ")),
    };
    let shown: String = unknown.chars().take(100).collect();
    Err(Error::invalid(format!(
        "there is no query parameter {shown:?}; {advice}"
    )))
}

async fn extract<P, Q, B>(api: Api, request: Request) -> Result<ApiRequest<P, Q, B>, Error>
where
    P: DeserializeOwned + Send,
    Q: DeserializeOwned,
    B: Body,
{
    let (mut parts, body) = request.into_parts();
    let Path(path) = Path::from_request_parts(&mut parts, &api).await?;
    let Query(query) = Query::from_request_parts(&mut parts, &api).await?;
    let key = idempotency_key(&parts.headers)?;
    let header = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let announced = header(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(too_large());
    }
    let bytes = to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| too_large())?;
    let kind = header(CONTENT_TYPE).unwrap_or_default();
    let body = B::read(kind.split(';').next().unwrap_or_default().trim(), &bytes)?;
    Ok(ApiRequest {
        api,
        role: parts.extensions.get().copied().unwrap_or(Role::Read),
        path,
        query,
        body,
        key,
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Error> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let key = text.parse();
    key.map(Some)
        .map_err(|error| Error::invalid(format!("the header Idempotency-Key: {error}")))
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::TooLarge,
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
