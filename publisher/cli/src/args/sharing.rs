//! Commands about what pipelines share.

use drover_shared::id::LimitName;

use super::values::whole_number;

const LIMIT_EXAMPLES: &str = "\
Examples:
  drover limit                              the limits, and who has which part of them
  drover limit gpu-licence --running 8      define it or change it; running jobs follow within a second
  drover limit gpu-licence --delete         datums that use it wait until it is defined again

A spec names the limit: `limits: [{use: gpu-licence}]`. A limit that is lowered ends no datum that runs.";

/// Lists, defines and changes the limits that pipelines share.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = LIMIT_EXAMPLES)]
pub struct Limits {
    /// The limit [default: all limits]
    #[arg(value_name = "NAME")]
    pub name: Option<LimitName>,

    /// The most datums that run at the same time, those of all pipelines that use the limit; 0 lets none begin
    #[arg(long, value_name = "N", requires = "name", value_parser = whole_number::<u32>, allow_negative_numbers = true)]
    pub running: Option<u32>,

    /// Remove the limit
    #[arg(long, requires = "name", conflicts_with = "running")]
    pub delete: bool,
}
