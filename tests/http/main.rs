//! The HTTP API of `drover serve`, by real processes, a real broker and real connections.

mod client;

mod live;
mod strangers;
mod tokens;
