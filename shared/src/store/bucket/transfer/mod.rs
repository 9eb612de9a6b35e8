//! Transfers between files and a bucket.

mod download;
mod multipart;
mod upload;
