//! The error answer of the API, and conversions from library errors.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use drover_shared::ledger::RegistryError;
use drover_shared::pipeline::{Finding, Findings, count_findings};
use drover_shared::queue::QueueError;
use drover_shared::store::StoreError;
use schemars::JsonSchema;
use serde::Serialize;

use drover_core::catalog::{
    GroupError, LogError, RedoError, RegisterError, RetryError, SubmitError,
};

/// An error with its HTTP status.
#[derive(Debug)]
pub(crate) struct Error {
    status: StatusCode,
    detail: ErrorDetail,
}

/// Body of every answer that is not a success.
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Error")]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "ErrorDetail")]
struct ErrorDetail {
    /// Kind of the error, for programs.
    kind: ErrorKind,
    /// Description of the problem, and how to solve it.
    message: String,
    /// Findings in a spec, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<Finding>,
}

/// Kind of an error.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorKind {
    /// The resource does not exist.
    NotFound,
    /// The request is malformed.
    Invalid,
    /// The token is missing or wrong.
    Unauthorized,
    /// The token or the origin of the request does not permit the action.
    Forbidden,
    /// The present state does not permit the action.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The store or the broker does not answer; a later try may succeed.
    Unavailable,
    /// A bug, or damaged records.
    Internal,
}

impl Error {
    /// Error of a kind, with the usual status of the kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            status: kind.status(),
            detail: ErrorDetail {
                kind,
                message: message.into(),
                findings: Vec::new(),
            },
        }
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// True if the resource does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// Replaces the status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Error for a well-formed body that cannot be processed.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::invalid(message).with_status(StatusCode::UNPROCESSABLE_ENTITY)
    }
}

impl ErrorKind {
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
        (self.status, Json(ErrorBody { error: self.detail })).into_response()
    }
}

/// The chain of causes is logged but not sent: messages of a store or a broker may contain internal names.
impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Missing { .. } => return Self::not_found(error.to_string()),
            StoreError::Corrupt { .. } => ErrorKind::Internal,
            _ => ErrorKind::Unavailable,
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
            error @ SubmitError::Key { .. } => Self::conflict(error.to_string()),
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
            error @ RetryError::First { .. } => Self::conflict(error.to_string()),
        }
    }
}

impl From<RedoError> for Error {
    fn from(error: RedoError) -> Self {
        match error {
            RedoError::Store(error) => error.into(),
            error @ RedoError::Unknown(_) => Self::not_found(error.to_string()),
            error @ RedoError::Busy(_) => Self::conflict(error.to_string()),
            error @ RedoError::Glob(_) => Self::unprocessable(error.to_string()),
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
                "pipeline {name} is not registered; POST /api/v1/pipelines registers it"
            )),
            RegistryError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for Error {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Order(circle) => Self::conflict(circle.to_string()),
            RegisterError::Registry(error) => error.into(),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<Findings> for Error {
    fn from(found: Findings) -> Self {
        let message = match found.0.as_slice() {
            [one] => format!("the spec is not valid: {one}"),
            several => format!("the spec is not valid: {}", count_findings(several)),
        };
        let mut error = Self::unprocessable(message);
        error.detail.findings = found.0;
        error
    }
}
