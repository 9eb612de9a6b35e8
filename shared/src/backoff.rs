//! Delays between attempts, with jitter, as an iterator; no sleeping inside.
