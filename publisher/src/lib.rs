//! The command line: expands inputs, coordinates jobs.
