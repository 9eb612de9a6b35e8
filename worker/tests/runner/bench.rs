//! What a datum costs; for people: `cargo test --release -p drover-worker --test runner -- --ignored --nocapture cost`.
