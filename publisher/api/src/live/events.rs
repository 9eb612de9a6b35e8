//! Live updates, as a stream for each who listens.

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
use tokio::sync::broadcast::error::RecvError;

use crate::routing::api::{Api, Reach};
use crate::routing::error::Error;
use crate::routing::route::Ask;
use crate::server::access::Role;
use crate::server::metrics::Listening;

/// A comment this often tells clients that the line is not dead.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Who is answered, and by whom.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Session {
    /// What this token may do.
    role: Role,
    /// The version of Drover.
    version: &'static str,
    /// Where the store is.
    store: String,
    /// How the broker is.
    broker: BrokerState,
    /// Why it is down or blocked.
    broker_why: Option<String>,
    /// What time it is here.
    #[schemars(with = "String", extend("format" = "date-time"))]
    time: Timestamp,
}

/// How the broker is.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BrokerState {
    /// Connected.
    Up,
    /// Out of reach; work goes on when it is back.
    Down,
    /// It takes no messages for now.
    Blocked,
    /// It is in this process.
    Embedded,
}

impl BrokerState {
    /// How the broker is, and why it is not up.
    pub(crate) fn of(reach: &Reach) -> (Self, Option<String>) {
        match (reach, reach.link()) {
            (Reach::Embedded(_), _) => (Self::Embedded, None),
            (Reach::Remote(_), Link::Up) => (Self::Up, None),
            (Reach::Remote(_), Link::Down { why }) => (Self::Down, Some(why)),
            (Reach::Remote(_), Link::Blocked { why }) => (Self::Blocked, Some(why)),
        }
    }
}

impl Session {
    fn of(api: &Api, role: Role) -> Self {
        let (broker, broker_why) = BrokerState::of(api.reach());
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

pub(crate) async fn session(Ask { api, role, .. }: Ask) -> Result<Session, Error> {
    Ok(Session::of(&api, role))
}

/// A stream of what changes.
pub(crate) async fn stream(State(api): State<Api>, Extension(role): Extension<Role>) -> Response {
    let Ok(place) = Arc::clone(api.streams()).try_acquire_owned() else {
        let full = "too many listen already; ask every few seconds instead";
        return Error::unavailable(full).into_response();
    };
    let first = hello(&api, role);
    let place = (place, Listening::begin());
    let listener = (api.feed().listen(), api, place);
    let news = stream::unfold(listener, move |(mut news, api, place)| async move {
        loop {
            match news.recv().await {
                Ok(told) => return Some((told.event(&api, role), (news, api, place))),
                // What was missed is told again with the next change.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    let events = stream::iter([first]).chain(news);
    let keep_alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    Sse::new(events).keep_alive(keep_alive).into_response()
}

/// What all who listen are told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// How the broker is has changed: each is told its session anew.
    Session,
    /// An event of this kind, with its data.
    News(&'static str, Arc<str>),
}

impl Told {
    fn event(self, api: &Api, role: Role) -> Result<Event, axum::Error> {
        match self {
            Self::Session => hello(api, role),
            Self::News(kind, data) => Ok(Event::default().event(kind).data(data)),
        }
    }
}

fn hello(api: &Api, role: Role) -> Result<Event, axum::Error> {
    let event = Event::default().event("hello");
    event.json_data(Session::of(api, role))
}
