//! The promises of a cluster: publishers, coordinators and workers as processes of their own, around a real broker and
//! a real store, whatever befalls them.

mod coordinators;
mod examples;
mod jobs;
mod poison;
mod stop;
mod workers;
