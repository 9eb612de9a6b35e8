//! Lists of the publication in the store, and the record of Drover's files.

mod record;
mod scratch_list;

pub(super) use record::{RecordedFile, read};
pub(super) use scratch_list::ScratchList;
