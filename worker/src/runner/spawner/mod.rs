//! The spawner: a small process of each runner that restricts itself once, then starts all commands of the slot. Its
//! commands inherit the restrictions, so protection costs nothing per datum, and the server keeps its rights to mount.
//!
//! The server talks with the spawner over a socket. Orphans of commands are reparented to the spawner.

mod capabilities;
mod client;
mod landlock;
mod limits;
mod main_loop;
mod message;
mod shared_memory;
mod usage;

pub(super) mod orphans;

pub(super) use client::Spawner;
pub(super) use main_loop::spawn_commands;
pub(super) use message::{CommandSpec, Restrictions};
