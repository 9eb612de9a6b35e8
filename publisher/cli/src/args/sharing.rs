//! Commands about what pipelines share.

use drover_shared::id::{LimitName, PipelineName};
use drover_shared::pipeline::{Priority, Sharing};

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

const SHARE_EXAMPLES: &str = "\
Examples:
  drover share map                          the priority and share of a pipeline
  drover share map --share 4                four times the time of a pipeline with the share 1
  drover share invoices --priority high     its datums get the next free slots
  drover share map --reset                  as the spec says

A change holds for running jobs and those to come. Workers follow within a second if --broker is named, else within ten seconds,
in a bucket within a minute.";

/// Shows or changes priority and share of a pipeline.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = SHARE_EXAMPLES)]
pub struct Share {
    /// The pipeline
    #[arg(value_name = "PIPELINE")]
    pub pipeline: PipelineName,

    /// The class: low, normal or high
    #[arg(long, value_name = "CLASS", value_parser = priority)]
    pub priority: Option<Priority>,

    /// The share within the class, from 1 to 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(Sharing::LARGEST_SHARE)))]
    pub share: Option<u32>,

    /// Take the change back: the spec counts again
    #[arg(long, conflicts_with_all = ["priority", "share"])]
    pub reset: bool,
}

fn priority(text: &str) -> Result<Priority, String> {
    match text {
        "low" => Ok(Priority::Low),
        "normal" => Ok(Priority::Normal),
        "high" => Ok(Priority::High),
        _ => Err("write low, normal or high".to_owned()),
    }
}
