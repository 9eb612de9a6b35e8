//! Fuzzing by seeded mutation: whatever is read from people, the broker or the store may be refused, and neither panics nor
//! hangs. `make fuzz SECONDS=60` gives each target more time than its short round among the other tests.

mod targets;
