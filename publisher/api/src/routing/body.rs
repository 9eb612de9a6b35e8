//! Bodies of requests.

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Error;

/// The absence of parameters, body or answer.
#[derive(Debug, Default, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Empty {}

/// Body of a request.
pub(crate) trait Body: Sized {
    /// Parses a body of the media type `kind`.
    fn read(kind: &str, bytes: &[u8]) -> Result<Self, Error>;
    /// Media types and schema of the body; none if the route ignores the body.
    fn schema(generator: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)>;
}

impl Body for Empty {
    fn read(_: &str, _: &[u8]) -> Result<Self, Error> {
        Ok(Self {})
    }

    fn schema(_: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)> {
        None
    }
}

/// A JSON object; an empty body counts as an empty object.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema> Body for JsonBody<T> {
    fn read(_: &str, bytes: &[u8]) -> Result<Self, Error> {
        let bytes = if bytes.is_empty() { b"{}" } else { bytes };
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|error| Error::invalid(format!("the body is malformed: {error}")))
    }

    fn schema(generator: &mut SchemaGenerator) -> Option<(&'static [&'static str], Value)> {
        let schema = generator.subschema_for::<T>().into();
        Some((&["application/json"], schema))
    }
}
