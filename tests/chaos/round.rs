//! One round: a pipeline is disturbed again and again while its inputs change, and then left in peace.

use std::collections::BTreeMap;
use std::time::Duration;

use drover_tests::{Random, Spec, Tree, Workspace, eventually};

use crate::counters::Counters;
use crate::disturbance::Disturbance;

/// Notes each begin, takes a moment, fails its first attempt at every fifth file, and copies the file.
const COMMAND: &str = r#"
    content=$(cat "$in"); echo "$content" >> "$OUTSIDE/begun"
    case $content in *[05].*) if [ ! -e /tmp/tried ]; then touch /tmp/tried; exit 1; fi ;; esac
    case $content in *[147].*) sleep 0.05 ;; esac
    cp "$in" /pfs/out/; echo "$content" >> /pfs/out/common"#;

/// A pipeline under disturbance.
struct Round {
    workspace: Workspace,
    /// The content of each input file; no content comes twice.
    inputs: BTreeMap<String, String>,
    versions: u64,
    /// Datums that the records called done, with the number of starts of their commands by then.
    acknowledged: BTreeMap<String, u32>,
    unexpected: u64,
}

/// Plays a round and counts.
pub(crate) fn play(random: &mut Random) -> Counters {
    let mut round = Round {
        workspace: Workspace::new(),
        inputs: BTreeMap::new(),
        versions: 0,
        acknowledged: BTreeMap::new(),
        unexpected: 0,
    };
    for number in 0..20 + random.below(40) {
        round.write(&format!("{number:03}"));
    }
    for _ in 0..3 + random.below(5) {
        round.disturb(random);
        round.change(random);
    }
    round.settle()
}

impl Round {
    fn write(&mut self, name: &str) {
        self.versions += 1;
        let content = format!("{name}.{}", self.versions);
        self.workspace.file(&format!("in/{name}"), &content);
        self.inputs.insert(name.to_owned(), content);
    }

    /// Changes, adds and removes some inputs; at times none.
    fn change(&mut self, random: &mut Random) {
        for _ in 0..random.below(4) {
            let name = format!("{:03}", random.below(60));
            if random.below(4) == 0 && self.inputs.len() > 1 && self.inputs.remove(&name).is_some()
            {
                self.workspace.remove(&format!("in/{name}"));
            } else {
                self.write(&name);
            }
        }
    }

    fn disturb(&mut self, random: &mut Random) {
        let workers = (1 + random.below(3)).to_string();
        let running = self
            .workspace
            .start_run(&spec(), &["--workers", &workers, "--term-grace", "100ms"]);
        let delay = Duration::from_millis(random.below(1500));
        if let Err(problem) = Disturbance::any(random).befall(running, delay) {
            println!("unexpected: {problem}");
            self.unexpected += 1;
        }
        eventually("nothing of it ran any more", || {
            self.workspace.processes().is_empty()
        });
        self.acknowledge();
    }

    /// Notes the datums that the records of the last job call done.
    fn acknowledge(&mut self) {
        let datums = self
            .workspace
            .call(&["datums", "last", "--output", "json", "--state", "success"]);
        if datums.status.code() != Some(0) {
            return; // cut off before its records existed
        }
        let begun = self.workspace.tally("begun");
        for datum in datums.lines() {
            let path = datum["inputs"][0]["path"]
                .as_str()
                .expect("an input has a path");
            if let Some(content) = self.inputs.get(path.trim_start_matches('/')) {
                let times = begun.get(content).copied().unwrap_or_default();
                self.acknowledged.entry(content.clone()).or_insert(times);
            }
        }
    }

    /// Runs undisturbed and compares.
    fn settle(mut self) -> Counters {
        let outcome = self.workspace.run(&spec());
        if outcome.status.code() != Some(0) {
            println!("unexpected: in peace: {}", outcome.transcript());
            self.unexpected += 1;
        }
        self.acknowledge();
        let output = self.workspace.tree("made");
        let wrong = self.wrong(&output);
        let begun = self.workspace.tally("begun");
        let ran_again =
            |(content, times): &(&String, &u32)| begun.get(*content).is_some_and(|all| all > times);
        let outputs = self.inputs.len() as u64 + 1;
        Counters {
            attempted: begun.values().copied().map(u64::from).sum(),
            acknowledged: self.acknowledged.len() as u64,
            ok: outputs - wrong,
            lost: wrong,
            recovered: self
                .inputs
                .values()
                .filter(|content| begun.get(*content).is_some_and(|times| *times > 1))
                .count() as u64,
            unexpected: self.unexpected,
            innocents: 0,
            unexplained: 0,
            duplicated: self.acknowledged.iter().filter(ran_again).count() as u64,
        }
    }

    /// How many outputs are not what an undisturbed run makes of the inputs.
    fn wrong(&self, output: &Tree) -> u64 {
        let mut expected = self.inputs.clone();
        let pieces: Vec<&str> = self.inputs.values().map(String::as_str).collect();
        expected.insert("common".to_owned(), pieces.join("\n") + "\n");
        let wrong = output.differences(&expected);
        for path in &wrong {
            println!("wrong: {path}");
        }
        wrong.len() as u64
    }
}

fn spec() -> Spec {
    Spec::new("made")
        .reads("in", "/*")
        .sh(COMMAND)
        .set("datum_tries", 3)
}
