//! Faults between a client and the server, set for some requests and applied to these.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, StdError};

/// The largest body that is looked into.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Delay before a cut body breaks off, so that the bytes before are on the way.
const BEFORE_THE_CUT: Duration = Duration::from_millis(50);

/// A fault of a request.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// The request is answered with this status and code, and not executed.
    Answer(u16, &'static str),
    /// The connection is closed, and it is not done.
    Close,
    /// It is done, then the connection is closed without an answer.
    LoseAnswer,
    /// Its answer breaks off after so many bytes of the body.
    Cut(usize),
    /// One byte of the body is changed on the way.
    Damage,
    /// It waits for so long first.
    Delay(Duration),
}

/// A planned fault for requests of a kind.
#[derive(Clone, Debug)]
pub struct Fault {
    method: Method,
    part: String,
    skip: usize,
    times: usize,
    harm: FaultKind,
}

impl Fault {
    /// Happens to every request of this method whose path and query hold `part`.
    pub fn on(method: &str, part: &str, harm: FaultKind) -> Self {
        Self {
            method: method.parse().expect("a method"),
            part: part.to_owned(),
            skip: 0,
            times: usize::MAX,
            harm,
        }
    }

    /// Happens to the first `times` of them only.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Spares the first `skip` of them.
    pub fn after(self, skip: usize) -> Self {
        Self { skip, ..self }
    }

    /// True if the fault applies to the request; each time counts.
    fn strikes(&mut self, method: &Method, target: &str) -> bool {
        if *method != self.method || !target.contains(&self.part) || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// All that is to go wrong, and what was asked for. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    planned: Arc<Mutex<Vec<Fault>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Faults {
    pub(super) fn add(&self, fault: Fault) {
        lock(&self.planned).push(fault);
    }

    pub(super) fn clear(&self) {
        lock(&self.planned).clear();
    }

    /// All requests so far, as `PUT /bucket/key?query`.
    pub(super) fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }

    fn strike(&self, method: &Method, target: &str) -> Option<FaultKind> {
        lock(&self.requests).push(format!("{method} {target}"));
        let mut planned = lock(&self.planned);
        planned
            .iter_mut()
            .find_map(|fault| fault.strikes(method, target).then(|| fault.harm.clone()))
    }

    /// Answers a request by the service, with what is to go wrong. An error closes the connection.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        service: &S3Service,
    ) -> Result<Response<Body>, StdError> {
        let target = request.uri().path_and_query().map(ToString::to_string);
        let harm = self.strike(request.method(), &target.unwrap_or_default());
        let request = request.map(Body::from);
        match harm {
            None => Ok(service.call(request).await?),
            Some(FaultKind::Answer(status, code)) => {
                drain(request).await?;
                Ok(refusal(status, code))
            }
            Some(FaultKind::Close) => Err(closed()),
            Some(FaultKind::LoseAnswer) => {
                service.call(request).await?;
                Err(closed())
            }
            Some(FaultKind::Cut(after)) => cut(service.call(request).await?, after).await,
            Some(FaultKind::Damage) => Ok(service.call(damage(request).await?).await?),
            Some(FaultKind::Delay(time)) => {
                tokio::time::sleep(time).await;
                Ok(service.call(request).await?)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> StdError {
    io::Error::from(io::ErrorKind::ConnectionReset).into()
}

/// A server that refuses reads the request all the same.
async fn drain(request: Request<Body>) -> Result<(), StdError> {
    request.into_body().store_all_limited(MOST_BYTES).await?;
    Ok(())
}

fn refusal(status: u16, code: &str) -> Response<Body> {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>as the test wants it</Message>\
         <CanonicalRequest>x-amz-security-token:SIGNED-SECRET</CanonicalRequest></Error>"
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    let xml = HeaderValue::from_static("application/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    response
}

async fn cut(response: Response<Body>, after: usize) -> Result<Response<Body>, StdError> {
    let (parts, mut body) = response.into_parts();
    let begin = body.store_all_limited(MOST_BYTES).await?;
    let begin = begin.slice(..after.min(begin.len()));
    let frames = [Ok(Frame::data(begin)), Err(closed())];
    let frames = stream::iter(frames).then(async |frame: Result<Frame<Bytes>, StdError>| {
        if frame.is_err() {
            tokio::time::sleep(BEFORE_THE_CUT).await;
        }
        frame
    });
    let body = Body::http_body_unsync(StreamBody::new(frames.boxed()));
    Ok(Response::from_parts(parts, body))
}

async fn damage(request: Request<Body>) -> Result<Request<Body>, StdError> {
    let (parts, mut body) = request.into_parts();
    let mut bytes = body.store_all_limited(MOST_BYTES).await?.to_vec();
    if let Some(byte) = bytes.first_mut() {
        *byte ^= 1;
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}
