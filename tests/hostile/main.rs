//! Attacks: the command of a datum, and whoever reaches the broker, try what they must not be able to do. Every attack is
//! tried in every sandbox, as root and as an ordinary user.

mod attacker;
mod broker;
mod bucket;
mod folder;
mod sizes;
mod survivors;
