//! The HTTP API of `drover serve`, and the web page that uses the API.
//!
//! A [`Server`] accepts connections, checks [access](server::access) and limits the resources of each client. The
//! [routes](server::routes) are a list; each route is a plain function from an
//! [`ApiRequest`](routing::route::ApiRequest) to an answer, and the `OpenAPI` [document](routing::openapi) is
//! generated from the types of the functions. The folder [`resources`] has a file for each subject, and [`live`]
//! sends updates. The files of the page are [assets](server::assets) of the binary.
//!
//! The API stores nothing: every answer comes from the store, the broker or the pipeline leaders of the current process. The
//! server has no TLS; a reverse proxy adds TLS.

mod live;
mod resources;
mod routing;
mod server;
mod timeline;

#[cfg(test)]
mod tests;

pub use routing::api::{Api, ApiContext};
pub use routing::broker::BrokerHandle;
pub use routing::metrics;
pub use server::access::{Access, AccessError, Token};
pub use server::base_path::BasePath;
pub use server::listen::Server;
pub use server::stored_token::{Secret, StoredToken, StoredTokenError, stored_token};
