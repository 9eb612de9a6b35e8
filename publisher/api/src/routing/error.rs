//! What an answer looks like that is none.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use drover_shared::ledger::RegistryError;
use drover_shared::pipeline::{Finding, Findings};
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use drover_core::catalog::{GroupError, LogError, RetryError, SubmitError};

/// Why a request is not answered as wished.
#[derive(Debug)]
pub(crate) struct Error {
    status: StatusCode,
    told: Told,
}

/// The body of every answer that is not a success.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorBody {
    error: Told,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ErrorDetail")]
struct Told {
    /// What kind of error it is, for programs.
    kind: Kind,
    /// What is wrong, and the way out.
    message: String,
    /// What is wrong with a spec, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

/// What kind of error it is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// There is no such thing.
    NotFound,
    /// The request makes no sense.
    Invalid,
    /// No token, or not the right one.
    Unauthorized,
    /// Not with this token, or not from this page.
    Forbidden,
    /// It cannot be done as things are.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The store or the broker does not answer; later perhaps.
    Unavailable,
    /// A bug, or damaged records.
    Internal,
}

impl Error {
    /// An error of this kind, with the status that goes with it.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            told: Told {
                kind,
                message: message.into(),
                findings: Vec::new(),
            },
        }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// The same with another status than that of its kind.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// A body that can be read, but not be done.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::invalid(message).with_status(StatusCode::UNPROCESSABLE_ENTITY)
    }
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Invalid => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.told })).into_response()
    }
}

/// The chain of causes goes to the log alone: what a store or a broker says may name what is nobody's business.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Missing { .. } => return Self::not_found(error.to_string()),
            StoreError::Corrupt { .. } => Kind::Internal,
            _ => Kind::Unavailable,
        };
        let message = error.to_string();
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, "a request failed: {message}");
        Self::new(kind, message)
    }
}

impl From<QueueError> for Error {
    fn from(error: QueueError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<SubmitError> for Error {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Store(error) => error.into(),
            SubmitError::Queue(error) => error.into(),
        }
    }
}

impl From<RetryError> for Error {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::Store(error) => error.into(),
            RetryError::Spec(found) => found.into(),
            RetryError::Group(error @ GroupError::Missing { .. }) => {
                Self::unprocessable(error.to_string())
            }
            RetryError::Group(error @ GroupError::CutShort { .. }) => {
                Self::conflict(error.to_string())
            }
        }
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Store(error) => error.into(),
            LogError::Io(error) => Self::unavailable(format!("the log cannot be read: {error}")),
        }
    }
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Exists(name) => Self::conflict(format!(
                "pipeline {name} exists already; PUT /api/v1/pipelines/{name} changes it"
            )),
            RegistryError::Missing(name) => Self::not_found(format!(
                "there is no registered pipeline {name}; POST /api/v1/pipelines makes one"
            )),
            RegistryError::Store(error) => error.into(),
        }
    }
}

impl From<Findings> for Error {
    fn from(found: Findings) -> Self {
        let message = match found.0.as_slice() {
            [one] => format!("the spec is not valid: {one}"),
            several => format!("the spec is not valid: {} findings", several.len()),
        };
        let mut error = Self::unprocessable(message);
        error.told.findings = found.0;
        error
    }
}
