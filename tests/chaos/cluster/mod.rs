//! The second mix: several workers and coordinators around a broker of their own, behind a network that is spoiled.

mod blow;
mod crew;
mod figures;
mod journal;
mod mix;

pub(crate) use mix::Mix;
