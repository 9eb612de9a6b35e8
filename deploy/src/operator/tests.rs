//! Scenarios against a double of the API server, and of the store and the workers.

mod farm;

mod crashes;
mod ending;
mod life;
mod rights;
mod scaling;
mod watching;
mod words;
