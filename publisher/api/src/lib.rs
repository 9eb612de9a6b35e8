//! The HTTP API of `drover serve`, and the page that uses it.
//!
//! A [`Server`] listens; it lets in who may ([`access`]) and bounds what a stranger can do to it. The [`routes`] are one list;
//! each is a plain function from what is [asked](route::Ask) to an answer, and the `OpenAPI` [document](openapi) is made from
//! the types of these functions. By subject: [`pipelines`], [`jobs`], [`datums`], [`logs`], [`timeline`], [`workers`], [`events`].
//! The files of the page are [`assets`] of the binary.
//!
//! It holds no truth: whatever it tells is in the store, on the broker, or known to the leaders of this process. It has
//! no TLS; that is a reverse proxy's business.

mod live;
mod resources;
mod routing;
mod server;

#[cfg(test)]
mod tests;

pub use routing::api::{Api, Known, Reach};
pub use server::access::{Access, AccessError, Token};
pub use server::listen::Server;
pub use server::metrics;
