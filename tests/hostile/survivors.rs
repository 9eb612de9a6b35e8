//! Commands that kill every process within reach, and descendants of commands that try to outlive Drover.

use std::fs;

use drover_tests::{Signal, eventually};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::attacker::{attack, cluster_of, everywhere, worker};

/// The processes of a runner, by the second word of their command lines.
fn runner_processes(processes: &[String], roles: &[&str]) -> Vec<i32> {
    let of_roles = processes.iter().filter(|line| {
        let mut words = line.split(' ').skip_while(|word| *word != "__runner");
        words.nth(1).is_some_and(|role| roles.contains(&role))
    });
    let numbers = of_roles.filter_map(|line| line.split(' ').next()?.parse().ok());
    numbers.collect()
}

#[test]
fn nothing_outlives_the_runner_however_it_is_killed() {
    let script = r#"
        [ -e "$OUTSIDE/gate" ] && exit 0
        setsid sh -c 'trap "" TERM HUP; while :; do echo >> "$OUTSIDE/beats"; sleep 0.05; done' &
        while [ ! -s "$OUTSIDE/beats" ]; do sleep 0.01; done
        echo >> "$OUTSIDE/ready"; sleep 1000"#;
    for (sandbox, user) in everywhere() {
        let cluster = cluster_of(user);
        cluster.workspace.numbered_files("in", 1);
        let _service = cluster.serve();
        let _worker = worker(&cluster, sandbox);
        let id = cluster.publish(&attack(&cluster, script).set("datum_tries", 3));
        cluster.wait_for_lines("ready", 1);
        cluster.workspace.open_gate("gate");
        let all =
            drover_tests::processes_marked(cluster.workspace.store().to_str().expect("UTF-8"));
        let victims = runner_processes(&all, &["supervise", "serve", "spawn"]);
        assert!(victims.len() >= 2, "{sandbox} {user:?}: {all:?}");
        for victim in victims {
            let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
        }
        let beats =
            || fs::metadata(cluster.workspace.outside("beats")).map_or(0, |file| file.len());
        let mut before = beats();
        eventually("the survivor was ended", || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            std::mem::replace(&mut before, beats()) == beats()
        });
        let job = cluster.wait(&id);
        assert_eq!(job.state(), "success", "{sandbox} {user:?}: {job:?}");
    }
}

#[test]
fn a_command_that_kills_all_it_can_ends_itself_and_no_other_datum() {
    let script = r#"
        [ "$DROVER_DATUM_INDEX" = 0 ] || { cp "$in" "$out/"; echo over >> "$OUTSIDE/over"; exit 0; }
        for process in /proc/[0-9]*; do
            [ "${process#/proc/}" = $$ ] && continue
            tr '\0' ' ' < "$process/cmdline" | grep -q __runner && kill -9 "${process#/proc/}"
        done
        sleep 1000"#;
    for (sandbox, user) in everywhere() {
        let cluster = cluster_of(user);
        cluster.workspace.numbered_files("in", 3);
        let _service = cluster.serve();
        let _worker = worker(&cluster, sandbox);
        let spec = attack(&cluster, script).set("datum_timeout", "3s");
        let job = cluster.wait(&cluster.publish(&spec));
        let told = format!("{sandbox} {user:?}: {job:?}");
        assert_eq!(job.counts(), "3: 2 processed, 1 failed", "{told}");
    }
}
