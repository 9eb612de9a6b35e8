//! A job over time: utilization of workers, throughput and latency, from the ends of its datums.

mod answer;
mod builder;
mod sample;

pub(crate) use answer::Timeline;
pub(crate) use builder::TimelineBuilder;
pub(crate) use sample::SampleCache;
