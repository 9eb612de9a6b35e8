//! The server: connections within bounds, security headers on every answer.
//!
//! A stranger can cost it a connection out of [`MOST_CONNECTIONS`] for a while, and nothing more: heads are small and come in
//! time, bodies are bounded by the routes, whoever does not read its answers is cut off, and a connection has an end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::access::{self, Access};
use super::{assets, metrics, routes};
use crate::routing::api::Api;

/// Connections at the same time; others wait in the system's own queue.
const MOST_CONNECTIONS: usize = 64;
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// The most headers of a request.
const MOST_HEADERS: usize = 64;
/// How long the head of a request may take to arrive, and a connection be idle.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a client may leave an answer unread.
const UNREAD_MS: u32 = 30_000;
/// How long a connection lasts; those of event streams too, whose clients come again.
const CONNECTION_TIME: Duration = Duration::from_secs(15 * 60);
/// How long to wait when a connection cannot be taken, as when there are no file descriptors left.
const BREATH: Duration = Duration::from_millis(100);

/// What the page may load: its own files alone.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    access: Access,
}

impl Server {
    /// Listens on `address`; port 0 takes any that is free.
    pub async fn bind(address: SocketAddr, access: Access) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, access })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers for ever; dropping the future ends it, with all connections.
    pub async fn serve(self, api: Api) -> Infallible {
        let router = router(api.clone(), self.access);
        tokio::select! {
            never = accept(&self.listener, &router) => never,
            never = api.feed().run(&api) => never,
        }
    }
}

/// Everything that is answered.
pub(crate) fn router(api: Api, access: Access) -> Router {
    let (routes, _) = routes::routes();
    routes
        .fallback(assets::serve)
        .layer(from_fn_with_state(access, access::guard))
        .layer(from_fn(secure))
        .layer(from_fn(metrics::count))
        .with_state(api)
}

async fn accept(listener: &TcpListener, router: &Router) -> Infallible {
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        if clients.len() >= MOST_CONNECTIONS {
            clients.join_next().await;
        }
        match listener.accept().await {
            Ok((client, _)) => drop(clients.spawn(converse(client, router.clone()))),
            Err(_) => sleep(BREATH).await,
        }
    }
}

/// The requests of one connection. What goes wrong is the client's loss.
async fn converse(client: TcpStream, router: Router) {
    if rustix::net::sockopt::set_tcp_user_timeout(&client, UNREAD_MS).is_err() {
        return;
    }
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(LONGEST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(client), TowerToHyperService::new(router));
    let _ = timeout(CONNECTION_TIME, connection).await;
}

/// Tells browsers to be careful with every answer.
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
