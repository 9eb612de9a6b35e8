//! Containers killed by the kernel for want of memory, as the kubelet reports.

use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

/// Name of the pod, and the time in which its last container ran, if the container was killed for want of memory.
pub fn out_of_memory(pod: &Pod) -> Option<(String, RangeInclusive<Timestamp>)> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let mut states = statuses.iter().flat_map(|container| {
        let states = [&container.state, &container.last_state];
        states.into_iter().flatten()
    });
    let ran = states.find_map(killed_while)?;
    Some((pod.name_any(), ran))
}

fn killed_while(state: &ContainerState) -> Option<RangeInclusive<Timestamp>> {
    let ended = state.terminated.as_ref()?;
    let is_out_of_memory = ended.reason.as_deref() == Some("OOMKilled");
    let (started, finished) = (ended.started_at.as_ref(), ended.finished_at.as_ref());
    let (started, finished) = (second(started?)?, second(finished?)?);
    // The kubelet tells whole seconds.
    let finished = finished.saturating_add(SignedDuration::from_secs(1)).ok()?;
    is_out_of_memory.then_some(started..=finished)
}

fn second(time: &Time) -> Option<Timestamp> {
    Timestamp::from_second(time.0.as_second()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(state: &Value, last: &Value) -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "drover-thumbs-1" },
            "status": { "containerStatuses": [{
                "name": "worker", "image": "", "imageID": "", "ready": false, "restartCount": 1,
                "state": state, "lastState": last,
            }] },
        }))
        .unwrap()
    }

    #[test]
    fn only_a_container_that_was_killed_for_want_of_memory_is_told() {
        let ended = |reason| {
            json!({ "terminated": {
                "exitCode": 137, "reason": reason,
                "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:05:00Z",
            } })
        };
        let runs = json!({ "running": { "startedAt": "2026-01-01T00:06:00Z" } });
        let rows = [
            (&runs, &ended("OOMKilled"), true),
            (&ended("OOMKilled"), &json!({}), true),
            (&runs, &ended("Error"), false),
            (&runs, &json!({}), false),
        ];
        for (state, last, expected) in rows {
            let found = out_of_memory(&pod(state, last));
            assert_eq!(found.is_some(), expected, "{state} {last}");
            let inside: Timestamp = "2026-01-01T00:04:00Z".parse().unwrap();
            let later: Timestamp = "2026-01-01T00:07:00Z".parse().unwrap();
            if let Some((name, ran)) = found {
                assert_eq!(name, "drover-thumbs-1");
                assert!(ran.contains(&inside) && !ran.contains(&later));
            }
        }
        assert!(out_of_memory(&Pod::default()).is_none());
    }
}
