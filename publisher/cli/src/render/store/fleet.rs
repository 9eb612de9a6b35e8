//! Renders the workers of a store and the served pipelines.

use drover_core::catalog::{Fleet, FleetPipeline};
use drover_shared::id::PipelineName;
use drover_shared::pipeline::Sharing;
use drover_shared::units::DecimalSize;

use crate::render::Table;
use crate::render::terminal::number::count;
use crate::render::terminal::text::printable;

/// The fleet as two tables.
pub fn fleet(fleet: &Fleet) -> Vec<String> {
    let mut lines = Vec::new();
    if !fleet.workers.is_empty() {
        let mut table = Table::new(&["WORKER", "SLOTS>", "MEMORY>", "TAKES", "SERVES"]);
        for worker in &fleet.workers {
            table.row(vec![
                worker.worker.to_string(),
                worker.slots.to_string(),
                DecimalSize(worker.memory_bytes).to_string(),
                worker.takes.clone(),
                names(&worker.serves),
            ]);
        }
        lines.extend(table.take_lines());
    }
    if !fleet.pipelines.is_empty() {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        let heads = [
            "PIPELINE", "PRIORITY", "SHARE>", "WORKERS>", "OPEN>", "LIMITS", "WHY",
        ];
        let mut table = Table::new(&heads);
        for pipeline in &fleet.pipelines {
            table.row(row(pipeline));
        }
        lines.extend(table.take_lines());
    }
    lines
}

fn row(it: &FleetPipeline) -> Vec<String> {
    let mark = if it.is_changed { "*" } else { "" };
    vec![
        it.pipeline.to_string(),
        format!("{}{mark}", it.sharing.priority),
        it.sharing.share.to_string(),
        it.workers.to_string(),
        count(it.outstanding),
        it.limits.join(", "),
        it.why.as_deref().map_or_else(String::new, printable),
    ]
}

fn names(pipelines: &[PipelineName]) -> String {
    let names: Vec<_> = pipelines.iter().map(PipelineName::as_str).collect();
    names.join(", ")
}

/// `map: priority high, share 4 (changed; the spec says normal, 1)`.
pub fn shared_by(pipeline: &PipelineName, counts: Sharing, of_spec: Sharing) -> String {
    let Sharing { priority, share } = counts;
    let changed = match of_spec {
        spec if spec == counts => String::new(),
        spec => format!(
            " (changed; the spec says {}, {})",
            spec.priority, spec.share
        ),
    };
    format!("{pipeline}: priority {priority}, share {share}{changed}")
}

#[cfg(test)]
mod tests {
    use drover_core::catalog::FleetWorker;
    use drover_shared::pipeline::Priority;

    use super::*;

    #[test]
    fn a_fleet_is_shown_as_workers_and_pipelines() {
        let map: PipelineName = "map".parse().unwrap();
        let sharing = Sharing {
            priority: Priority::High,
            share: 4.try_into().unwrap(),
        };
        let shown = Fleet {
            workers: vec![FleetWorker {
                worker: "host-1".parse().unwrap(),
                slots: 4,
                memory_bytes: 8_000_000_000,
                takes: "*".to_owned(),
                serves: vec![map.clone()],
            }],
            pipelines: vec![FleetPipeline {
                pipeline: map.clone(),
                sharing,
                is_changed: true,
                limits: vec!["use: licence".to_owned()],
                workers: 1,
                outstanding: 1_200,
                why: None,
            }],
        };
        let lines = fleet(&shown);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(words(&lines[1]), "host-1 4 8.0 GB * map");
        assert_eq!(words(&lines[4]), "map high* 4 1 1,200 use: licence");
        let told = shared_by(&map, sharing, Sharing::default());
        assert_eq!(
            told,
            "map: priority high, share 4 (changed; the spec says normal, 1)"
        );
        assert_eq!(
            shared_by(&map, sharing, sharing),
            "map: priority high, share 4"
        );
    }
}
