//! The HTTP API of `drover serve`, by real processes, a real broker and real connections.

mod client;

mod hostile_clients;
mod limits;
mod live;
mod tokens;
