//! The two streams, colours, tables, numbers and safe text.

pub(crate) mod console;
pub(crate) mod number;
pub(crate) mod palette;
pub(crate) mod table;
pub(crate) mod text;
