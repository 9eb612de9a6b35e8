//! Limits that pipelines share.

use drover_shared::id::{LimitName, PipelineName};
use drover_shared::ledger::SharedLimit;
use drover_shared::pipeline::Limit;
use serde_json::{Value, json};

use crate::render::Table;
use crate::render::terminal::number::counted;

/// The limits as a table.
pub fn limits(limits: &[(LimitName, SharedLimit)]) -> Vec<String> {
    let mut table = Table::new(&["LIMIT", "RUNNING>", "IN USE>", "PIPELINES"]);
    for (name, limit) in limits {
        table.row(vec![
            name.to_string(),
            limit.running.to_string(),
            limit.granted().to_string(),
            users(limit),
        ]);
    }
    table.take_lines()
}

/// A limit as JSON.
pub fn limit_json(name: &LimitName, limit: &SharedLimit) -> Value {
    json!({
        "limit": name,
        "running": limit.running,
        "granted": limit.granted(),
        "pipelines": limit.allotments,
    })
}

/// The pipelines with a part of the limit: `map (5), reduce (3)`.
pub(crate) fn users(limit: &SharedLimit) -> String {
    let users = limit.allotments.iter().filter(|(_, it)| it.granted > 0);
    let users: Vec<_> = users
        .map(|(pipeline, it)| format!("{pipeline} ({})", it.granted))
        .collect();
    users.join(", ")
}

/// Why datums of a job wait for a limit of its pipeline; `outstanding` datums of the job have no verdict. A shared limit comes
/// with its record, if the limit is defined.
pub(crate) fn waiting_for(
    limit: &Limit,
    shared: Option<&SharedLimit>,
    pipeline: &PipelineName,
    outstanding: u64,
) -> Option<String> {
    let wait = |most: u32| {
        let waiting = outstanding.saturating_sub(u64::from(most));
        (waiting > 0).then(|| counted(waiting, "datum"))
    };
    let verb = |most: u32| {
        if outstanding.saturating_sub(u64::from(most)) == 1 {
            "waits"
        } else {
            "wait"
        }
    };
    match (limit, shared) {
        (Limit::Running(most), _) => wait(most.get()).map(|waiting| {
            format!(
                "{waiting} {} for the limit `running: {most}` of the spec.",
                verb(most.get())
            )
        }),
        (Limit::Rate(rate), _) => (outstanding > 0).then(|| {
            format!("By the limit `rate: {rate}` of the spec no more datums begin at a time.")
        }),
        (Limit::Named(name), None) => Some(format!(
            "No datum begins, as the limit {name} is not defined: define it by `drover limit {name} --running N`."
        )),
        (Limit::Named(name), Some(limit)) => {
            let mine = limit.allotments.get(pipeline).map_or(0, |it| it.granted);
            let users = match users(limit) {
                users if users.is_empty() => String::new(),
                users => format!(" by {users}"),
            };
            wait(mine).map(|waiting| {
                format!(
                    "{waiting} {} for the limit {name} ({} of {} in use{users}).",
                    verb(mine),
                    limit.granted(),
                    limit.running
                )
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use drover_shared::ledger::Allotment;

    use super::*;

    #[test]
    fn a_wait_for_a_limit_names_the_limit_and_its_users() {
        let name = |text: &str| text.parse::<PipelineName>().unwrap();
        let allotment = |granted| Allotment {
            granted,
            wanted: 20,
        };
        let shared = SharedLimit {
            running: 8,
            allotments: [(name("map"), allotment(5)), (name("train"), allotment(3))].into(),
        };
        let licence = Limit::Named("licence".parse().unwrap());
        let running = Limit::Running(5.try_into().unwrap());
        let rate = Limit::Rate("5/s".parse().unwrap());
        #[rustfmt::skip]
        let rows = [
            (&running, None,          17, Some("12 datums wait for the limit `running: 5` of the spec.")),
            (&running, None,          6,  Some("1 datum waits for the limit `running: 5` of the spec.")),
            (&running, None,          5,  None),
            (&rate,    None,          1,  Some("By the limit `rate: 5/s` of the spec no more datums begin at a time.")),
            (&licence, Some(&shared), 17, Some("12 datums wait for the limit licence (8 of 8 in use by map (5), train (3)).")),
            (&licence, Some(&shared), 5,  None),
            (&licence, None,          5,  Some("No datum begins, as the limit licence is not defined: define it by `drover limit licence --running N`.")),
        ];
        for (limit, shared, outstanding, expected) in rows {
            let told = waiting_for(limit, shared, &name("map"), outstanding);
            assert_eq!(told.as_deref(), expected);
        }
        let lines = limits(&[("licence".parse().unwrap(), shared)]);
        assert_eq!(lines[1], "licence        8       8  map (5), train (3)");
    }
}
