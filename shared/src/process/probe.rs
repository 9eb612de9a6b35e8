//! A tiny HTTP server for health and metrics: `/live`, `/ready`, `/metrics`.
//!
//! The server answers one `GET` for each connection and bounds all input: size and number of headers, the time to send
//! headers, concurrent connections. TLS and passwords are absent, as no answer is secret. `/ready` answers in JSON to a
//! client with a matching `Accept`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The longest head of a request, in bytes; hyper's minimum.
const MAX_HEAD_BYTES: usize = 8 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 32;
/// How long a client may take to send a request and to read the answer.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// The most concurrent clients; further clients wait in the system's queue.
const MAX_CLIENTS: usize = 32;
/// The media type of JSON.
const JSON: &str = "application/json";
/// Pause after a failed accept, as when no file descriptors are left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// The callbacks of a probe.
pub(super) struct ProbeHandlers {
    /// `Ok` if the process accepts work; the error is the reason, without credentials.
    pub(super) ready: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// Facts about the process for the JSON of `/ready`, an object without credentials.
    pub(super) about: Box<dyn Fn() -> Value + Send + Sync>,
    /// All metrics, in Prometheus' text format.
    pub(super) metrics: Box<dyn Fn() -> String + Send + Sync>,
}

/// A listening probe.
#[derive(Debug)]
pub struct Probe {
    listener: TcpListener,
}

impl Probe {
    /// Listens on `address`; port 0 takes any free port.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener })
    }

    /// The bound address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves requests for ever; dropping the future closes all connections.
    pub(super) async fn serve(self, handlers: ProbeHandlers) -> Infallible {
        let handlers = Arc::new(handlers);
        let mut clients = JoinSet::new();
        loop {
            while clients.try_join_next().is_some() {}
            if clients.len() >= MAX_CLIENTS {
                clients.join_next().await;
            }
            match self.listener.accept().await {
                Ok((client, _)) => {
                    clients.spawn(serve_connection(client, Arc::clone(&handlers)));
                }
                Err(_) => sleep(ACCEPT_RETRY_DELAY).await,
            }
        }
    }
}

/// Serves a single request. Errors only affect the client.
async fn serve_connection(client: TcpStream, handlers: Arc<ProbeHandlers>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&request, &handlers);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(EXCHANGE_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(client), service);
    let _ = timeout(EXCHANGE_TIMEOUT, connection).await;
}

fn answer<Body>(request: &Request<Body>, handlers: &ProbeHandlers) -> Response<Full<Bytes>> {
    let (method, path) = (request.method(), request.uri().path());
    if !matches!(path, "/live" | "/ready" | "/metrics") {
        return text(StatusCode::NOT_FOUND, "ask for /live, /ready or /metrics\n");
    }
    if method != Method::GET {
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
        let headers = refusal.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
        return refusal;
    }
    match path {
        "/metrics" => text(StatusCode::OK, (handlers.metrics)()),
        "/ready" if accepts_json(request) => ready_in_json(handlers),
        "/ready" => match (handlers.ready)() {
            Ok(()) => text(StatusCode::OK, "ready\n"),
            Err(why) => text(StatusCode::SERVICE_UNAVAILABLE, why + "\n"),
        },
        _ => text(StatusCode::OK, "alive\n"),
    }
}

fn accepts_json<Body>(request: &Request<Body>) -> bool {
    let accepted = request.headers().get(ACCEPT);
    accepted.is_some_and(|accepted| accepted.as_bytes().starts_with(JSON.as_bytes()))
}

/// `{"ready": true}` or `{"ready": false, "why": "…"}`, and the facts about the process.
fn ready_in_json(handlers: &ProbeHandlers) -> Response<Full<Bytes>> {
    let mut body = (handlers.about)();
    let status = match (handlers.ready)() {
        Ok(()) => {
            body["ready"] = true.into();
            StatusCode::OK
        }
        Err(why) => {
            body["ready"] = false.into();
            body["why"] = why.into();
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    let mut response = text(status, body.to_string() + "\n");
    let json = HeaderValue::from_static(JSON);
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    // The version is part of Prometheus' text format; further clients ignore the version.
    let plain = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A probe for a process with the given `ready` callback.
    async fn probe(
        ready: &Arc<AtomicBool>,
    ) -> (SocketAddr, impl Future<Output = Infallible> + use<>) {
        let probe = Probe::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = probe.address().unwrap();
        let ready = Arc::clone(ready);
        let handlers = ProbeHandlers {
            ready: Box::new(move || {
                let is_ready = ready.load(Ordering::Relaxed);
                is_ready.then_some(()).ok_or_else(|| "no broker".to_owned())
            }),
            about: Box::new(|| serde_json::json!({"protection": "strong"})),
            metrics: Box::new(|| "drover_slots 2\n".to_owned()),
        };
        (address, probe.serve(handlers))
    }

    /// The answer to some bytes, until the server closes the connection.
    async fn ask(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A refusal may come as a reset, after the answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn it_says_how_the_process_is() {
        let ready = Arc::new(AtomicBool::new(false));
        let (address, serving) = probe(&ready).await;
        let asking = async {
            let get = async |path: &str| {
                ask(
                    address,
                    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes(),
                )
                .await
            };
            let rows = [
                ("/live", "200", "alive\n"),
                ("/live?verbose", "200", "alive\n"),
                ("/ready", "503", "no broker\n"),
                ("/metrics", "200", "drover_slots 2\n"),
                ("/", "404", "/live, /ready or /metrics\n"),
                ("/live/", "404", "/metrics\n"),
            ];
            for (path, status, end) in rows {
                let answer = get(path).await;
                assert!(
                    answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.ends_with(end),
                    "{path}: {answer}"
                );
            }
            let json = b"GET /ready HTTP/1.1\r\nhost: x\r\naccept: application/json\r\n\r\n";
            let answer = ask(address, json).await;
            let body = r#"{"protection":"strong","ready":false,"why":"no broker"}"#;
            assert!(
                answer.starts_with("HTTP/1.1 503 ") && answer.contains(body),
                "{answer}"
            );
            ready.store(true, Ordering::Relaxed);
            assert!(get("/ready").await.ends_with("ready\n"));
            let answer = ask(address, json).await;
            assert!(
                answer.contains(r#"{"protection":"strong","ready":true}"#),
                "{answer}"
            );
        };
        tokio::select! { never = serving => match never {}, () = asking => {} }
    }

    #[tokio::test]
    async fn it_answers_get_alone_and_bounds_what_it_reads() {
        let (address, serving) = probe(&Arc::default()).await;
        let asking = async {
            for method in ["POST", "HEAD", "DELETE"] {
                let answer = ask(
                    address,
                    format!("{method} /live HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes(),
                )
                .await;
                assert!(
                    answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET"),
                    "{answer}"
                );
            }
            let long = format!("GET /live HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(64 * 1024));
            let answer = ask(address, long.as_bytes()).await;
            assert!(!answer.contains("alive"), "{answer}");
            let many = format!("GET /live HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100));
            let answer = ask(address, many.as_bytes()).await;
            assert!(!answer.contains("alive"), "{answer}");
            assert!(
                !ask(address, b"\x16\x03\x01nonsense\r\n\r\n")
                    .await
                    .contains("200")
            );
        };
        tokio::select! { never = serving => match never {}, () = asking => {} }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_never_finish_are_let_go_and_block_nobody() {
        let (address, serving) = probe(&Arc::default()).await;
        let asking = async {
            let mut idle = Vec::new();
            for _ in 0..MAX_CLIENTS {
                idle.push(TcpStream::connect(address).await.unwrap());
            }
            let answer = ask(address, b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await;
            assert!(answer.ends_with("alive\n"), "{answer}");
        };
        tokio::select! { never = serving => match never {}, () = asking => {} }
    }
}
