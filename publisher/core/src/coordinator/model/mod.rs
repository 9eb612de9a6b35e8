//! Models of the protocol of leaders, checked in all their states: two leaders, two jobs, crashes, and freezes of any
//! length at any instruction. Each guard of the store can be taken out, and then a promise must break.

mod bucket;
mod explore;
mod jobs;
mod sets;
