//! Scenarios against a fake API server, a fake store and fake workers.

mod cleanup;
mod conditions;
mod controller;
mod crashes;
mod lifecycle;

mod rbac;
mod refusals;
mod scale;
mod scaling;
