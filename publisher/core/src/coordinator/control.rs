//! How a running job is told to come to an end.

/// Requested stop level of a job.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Control {
    /// The job runs to its end.
    #[default]
    Run,
    /// No new datum begins; [`Control::Stop`] follows once the workers have finished the datums in flight.
    Drain,
    /// The job is killed now.
    Stop {
        /// Shown as the job's reason.
        reason: String,
    },
}
