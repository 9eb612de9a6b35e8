//! The promises of a cluster: publishers, coordinators and workers as processes of their own, around a real broker and
//! a real store, whatever befalls them.

mod broker;
mod coordinators;
mod crash;
mod examples;
mod guarantees;
mod jobs;
mod leaders;
mod lost_messages;
mod malformed_messages;
mod memory;
mod network;
mod poison;
mod queues;
mod redelivery;
mod registered;
mod sharing;
mod stop;
mod store;
mod stores;
mod stragglers;
mod time_limits;
mod workers;
