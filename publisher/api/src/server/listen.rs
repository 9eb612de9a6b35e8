//! The server: bounded connections, and security headers on every answer.
//!
//! Connections are bounded by the trust in the clients ([`connections`](super::connections)): heads are small and must
//! arrive within a timeout, routes bound the bodies, clients with unread answers are disconnected, and
//! every connection has a maximum lifetime.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};

use super::access::{self, Access};
use super::assets::Assets;
use super::base_path::BasePath;
use super::connections::{Connections, Trust};
use super::{audit, routes};
use crate::live::feed;
use crate::routing::api::Api;
use crate::routing::metrics;

/// Maximum size of a request's head in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Maximum number of headers.
const MAX_HEADERS: usize = 64;
/// Timeout for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout for data that a client does not acknowledge, in milliseconds.
const UNREAD_TIMEOUT_MS: u32 = 30_000;
/// Maximum lifetime of a connection. Event streams end too, and their clients reconnect.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Delay after a failed `accept`, for example when no file descriptors are left.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// Size of an answer below which compression costs more than the transfer.
const MIN_COMPRESSED_BYTES: u64 = 1024;

/// Content security policy of the page: only its own files may be loaded.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; media-src blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A bound server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    access: Access,
    base: BasePath,
}

impl Server {
    /// Binds `address`; port 0 takes a free port.
    pub async fn bind(address: SocketAddr, access: Access) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self {
            listener,
            access,
            base: BasePath::default(),
        })
    }

    /// Also serves below a path, for reverse proxies; links of the page begin with the path.
    #[must_use]
    pub fn below(self, base: BasePath) -> Self {
        Self { base, ..self }
    }

    /// The bound address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves requests until the future is dropped, which closes all connections.
    pub async fn serve(self, api: Api) -> Infallible {
        let router = router_below(&self.base, api.clone(), self.access);
        tokio::select! {
            never = accept(&self.listener, &router) => never,
            never = feed::run(&api) => never,
        }
    }
}

/// The router for proxies, with and without the base path in their requests.
pub(crate) fn router_below(base: &BasePath, api: Api, access: Access) -> Router {
    let router = router(base, api, access);
    if base.as_str().is_empty() {
        return router;
    }
    Router::new()
        .nest(base.as_str(), router.clone())
        .fallback_service(router)
}

/// The router with all middleware.
fn router(base: &BasePath, api: Api, access: Access) -> Router {
    let (routes, _) = routes::routes();
    let assets = Assets::below(base);
    let page = move |method: Method, uri: Uri, headers: HeaderMap| {
        let answer = assets.serve(&method, &uri, &headers);
        async move { answer }
    };
    routes
        .fallback(page)
        .layer(from_fn_with_state(api.clone(), audit::note))
        .layer(from_fn_with_state(access, access::guard))
        .layer(from_fn(secure))
        .layer(from_fn(metrics::count))
        .layer(compression())
        .with_state(api)
}

/// Compresses large answers for clients that accept gzip, except images and event streams.
fn compression() -> CompressionLayer<impl Predicate> {
    let worthwhile = DefaultPredicate::new().and(SizeAbove::new(MIN_COMPRESSED_BYTES));
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(worthwhile)
}

async fn accept(listener: &TcpListener, router: &Router) -> Infallible {
    let mut connections = Connections::default();
    loop {
        connections.room().await;
        match listener.accept().await {
            Ok((client, _)) => {
                let trust = Trust::default();
                let router = router.clone().layer(Extension(trust.clone()));
                connections.add(serve_connection(client, router), trust);
            }
            Err(_) => sleep(ACCEPT_BACKOFF).await,
        }
    }
}

/// Serves the requests of one connection. Errors concern the client only and are dropped.
async fn serve_connection(client: TcpStream, router: Router) {
    if rustix::net::sockopt::set_tcp_user_timeout(&client, UNREAD_TIMEOUT_MS).is_err() {
        return;
    }
    let conversation = converse(client, router);
    let _ = timeout(CONNECTION_LIFETIME, conversation).await;
}

/// Answers the requests on `stream`, until the end or the first malformed request.
pub(crate) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
) -> hyper::Result<()> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await
}

/// Adds the security headers to an answer.
async fn secure(request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    if is_api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
