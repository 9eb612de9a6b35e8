//! Drover through a quorum queue, beside a bare loop of the same client on the same broker, Celery, and xargs.

mod bare;
mod celery;
mod noop;
mod outbox;

use std::process::{Command, ExitCode};

use drover_tests::{Spec, Workspace, drover, drover_worker, shared};

use crate::corpus::{every_file_in_sets, forget, shell_in, small_files};
use crate::measure::{Cost, measure, medians};
use crate::{Sizes, say};

/// Runs a helper process of the benches, if the current process was started as such.
pub(crate) fn take_over() -> Option<ExitCode> {
    bare::take_over()
        .or_else(outbox::take_over)
        .or_else(noop::take_over)
}

/// Prints the figures.
pub(crate) fn show(sizes: Sizes) {
    spawning(sizes);
    publishing(sizes);
    many(sizes);
}

/// `/bin/true` for each datum, two at a time.
fn spawning(sizes: Sizes) {
    let workspace = small_files(sizes.datums);
    say(&format!(
        "\n{} times /bin/true through a quorum queue, 2 at a time, all acked late and confirmed; the broker's own CPU apart",
        sizes.datums
    ));
    say(
        "                                     wall s    each s   CPU ms each   rate / bare loop   CPU / xargs   peak MiB",
    );
    let url = shared().vhost();
    // As it is, with more datums made ready, and with many datums in a message.
    let ways = [("2", 1), ("15", 1), ("2", 64)];
    let herds = ways.map(|(look_ahead, set)| {
        let spec = every_file_in_sets(&workspace, set);
        worker_and_publisher(&workspace, &url, &spec, look_ahead)
    });
    let xargs = shell_in(
        &workspace,
        "find in -type f -print0 | xargs -0 -P2 -n1 /bin/true",
    );
    let bare = bare::command(&url, sizes.datums);
    let (nothing, anew) = (|| {}, || forget(&workspace));
    let [usual, ahead, sets] = &herds;
    let [floor, loop_, costs @ ..] = medians(
        sizes.repeats,
        [
            (&nothing, &xargs),
            (&nothing, &bare),
            (&anew, usual),
            (&anew, ahead),
            (&anew, sets),
        ],
    );
    let row = |who: &str, cost: Cost| row(who, sizes, cost, loop_, floor);
    row("xargs -P2 -n1 (no queue)", floor);
    row("bare lapin loop, prefetch 32", loop_);
    for ((look_ahead, set), cost) in ways.into_iter().zip(costs) {
        row(
            &format!("drover, look-ahead {look_ahead}, sets of {set}"),
            cost,
        );
    }
    for queue in ["quorum", "classic"] {
        match celery::command(&shared().vhost(), queue, sizes.datums) {
            Ok(command) => row(&format!("Celery -c2, {queue} queue"), measure(&command)),
            Err(problem) => say(&format!("  Celery: {problem}")),
        }
    }
}

/// A worker of two slots, and a publisher that coordinates; both ended in good order.
pub(crate) fn worker_and_publisher(
    workspace: &Workspace,
    url: &str,
    spec: &str,
    look_ahead: &str,
) -> Command {
    let script = format!(
        "{} --pipeline nothing --slots 2 --look-ahead {look_ahead} & worker=$!; {} publish --wait --output json {spec}; code=$?; kill $worker; wait $worker; exit $code",
        drover_worker().display(),
        drover().display(),
    );
    let mut command = shell_in(workspace, &script);
    command
        .env("DROVER_BROKER", url)
        .env("DROVER_STORE", workspace.store());
    command
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn row(who: &str, sizes: Sizes, cost: Cost, bare: Cost, floor: Cost) {
    let count = sizes.datums as f64;
    say(&format!(
        "  {who:<32} {:>8.2} {:>9.0} {:>13.3} {:>18.2} {:>13.2} {:>10.1}",
        cost.wall,
        count / cost.wall,
        cost.cpu * 1000.0 / count,
        bare.wall / cost.wall,
        cost.cpu / floor.cpu,
        cost.peak
    ));
}

/// Cost of publishing through Drover's queue over the cost of the bare client.
fn publishing(sizes: Sizes) {
    say(&format!(
        "\n{} messages of 300 bytes published, confirmed, {} on their way",
        sizes.many,
        outbox::AT_ONCE
    ));
    say("                                     wall s    each s   rate / bare loop");
    let url = shared().vhost();
    let bare = outbox::command(&url, "bare", sizes.many);
    let ours = outbox::command(&url, "drover", sizes.many);
    let nothing = || {};
    let [bare, ours] = medians(sizes.repeats, [(&nothing, &bare), (&nothing, &ours)]);
    for (who, cost) in [("bare lapin", bare), ("drover's outbox", ours)] {
        #[expect(clippy::cast_precision_loss, reason = "figures for people")]
        let rate = sizes.many as f64 / cost.wall;
        say(&format!(
            "  {who:<32} {:>8.2} {rate:>9.0} {:>18.2}",
            cost.wall,
            bare.wall / cost.wall
        ));
    }
}

/// A job of very many datums, which a no-op worker ends without running anything.
fn many(sizes: Sizes) {
    let side = sizes.million.isqrt();
    let workspace = Workspace::new();
    for repo in ["a", "b"] {
        for number in 0..side {
            workspace.file(&format!("{repo}/{number:05}"), number.to_string());
        }
    }
    let mut spec = Spec::new("many").cmd(&["/bin/true"]);
    spec.0["input"] = serde_json::json!({"cross": [
        {"pfs": {"repo": "a", "glob": "/*"}},
        {"pfs": {"repo": "b", "glob": "/*"}},
    ]});
    let url = shared().vhost();
    let mut worker = noop::command(&url, "many", &workspace.store())
        .spawn()
        .expect("it starts");
    let mut publish = Command::new(drover());
    publish
        .args([
            "publish",
            "--wait",
            "--output",
            "json",
            &workspace.spec(&spec),
        ])
        .current_dir(workspace.store())
        .env("DROVER_BROKER", &url);
    let cost = measure(&publish);
    let _ = worker.kill();
    let _ = worker.wait();
    say(&format!(
        "\n{} datums, one a message, published and collected: {:.1} s, publisher and coordinator at most {:.1} MiB",
        side * side,
        cost.wall,
        cost.peak
    ));
}
