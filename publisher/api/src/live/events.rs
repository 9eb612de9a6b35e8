//! Live updates: the session, and a stream of events for each client.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use drover_shared::queue::Link;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::routing::api::Api;
use crate::routing::broker::BrokerHandle;
use crate::routing::error::Error;
use crate::routing::metrics::StreamGauge;
use crate::routing::role::Role;
use crate::routing::route::ApiRequest;
use crate::routing::updates::Update;

/// Interval of comments that keep idle streams open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The client's role, and the state of this service.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Session {
    /// Role of the token.
    role: Role,
    /// Version of Drover.
    version: &'static str,
    /// URL of the store.
    store: String,
    /// State of the broker.
    broker: BrokerState,
    /// Reason for the state `down` or `blocked`.
    broker_why: Option<String>,
    /// Clock of the service.
    #[schemars(with = "String", extend("format" = "date-time"))]
    time: Timestamp,
}

/// State of the broker.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BrokerState {
    /// Connected.
    Up,
    /// Not connected; work resumes after a reconnect.
    Down,
    /// The broker accepts no messages at present.
    Blocked,
    /// The queue is inside the current process.
    Embedded,
}

impl BrokerState {
    /// State of the broker, and the reason if the state is not `up`.
    pub(crate) fn of(broker_handle: &BrokerHandle) -> (Self, Option<String>) {
        match (broker_handle, broker_handle.link()) {
            (BrokerHandle::Embedded(_), _) => (Self::Embedded, None),
            (BrokerHandle::Remote(_), Link::Up) => (Self::Up, None),
            (BrokerHandle::Remote(_), Link::Down { why }) => (Self::Down, Some(why)),
            (BrokerHandle::Remote(_), Link::Blocked { why }) => (Self::Blocked, Some(why)),
        }
    }
}

impl Session {
    fn of(api: &Api, role: Role) -> Self {
        let (broker, broker_why) = BrokerState::of(api.broker_handle());
        Self {
            role,
            version: env!("CARGO_PKG_VERSION"),
            store: api.store(),
            broker,
            broker_why,
            time: Timestamp::now(),
        }
    }
}

pub(crate) async fn session(ApiRequest { api, role, .. }: ApiRequest) -> Result<Session, Error> {
    Ok(Session::of(&api, role))
}

/// Answers with a stream of updates.
pub(crate) async fn stream(State(api): State<Api>, Extension(role): Extension<Role>) -> Response {
    let Ok(permit) = Arc::clone(api.streams()).try_acquire_owned() else {
        let full = "too many clients listen to live updates; ask every few seconds instead";
        return Error::unavailable(full).into_response();
    };
    let first = hello(&api, role);
    let permit = (permit, StreamGauge::begin());
    let listener = (api.updates().subscribe(), api, permit);
    let updates = stream::unfold(listener, move |(mut place, api, permit)| async move {
        let update = api.updates().next(&mut place).await?;
        Some((event(update, &api, role), (place, api, permit)))
    });
    let events = stream::iter([first]).chain(updates);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    // Proxies such as nginx would keep events back to fill their buffers.
    let unbuffered = [("x-accel-buffering", "no")];
    (unbuffered, Sse::new(events).keep_alive(keep_alive)).into_response()
}

fn event(update: Update, api: &Api, role: Role) -> Result<Event, axum::Error> {
    match update {
        Update::Session => hello(api, role),
        Update::Resource(kind, data) => Ok(Event::default().event(kind).data(data)),
    }
}

fn hello(api: &Api, role: Role) -> Result<Event, axum::Error> {
    let event = Event::default().event("hello");
    event.json_data(Session::of(api, role))
}
