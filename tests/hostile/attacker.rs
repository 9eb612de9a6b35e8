//! The attacker: a command that tries everything, and the machines that it is let loose on.

use std::fs;
use std::process::Command;

use drover_tests::{Running, Spec, TestCluster, is_root};

/// A secret of the environment that Drover is started in.
pub(crate) const SECRET: &str = "the-mark-of-a-secret";

/// The sandboxes of a worker, by the value of `--sandbox`.
pub(crate) const SANDBOXES: [&str; 4] = ["namespaces", "mounts", "links", "none"];

/// Whom Drover runs as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum User {
    /// As the tests.
    Same,
    /// As an ordinary user.
    Ordinary,
}

/// Every sandbox with every user. Where the tests do not run as root, there is an ordinary user alone.
pub(crate) fn everywhere() -> Vec<(&'static str, User)> {
    let users: &[User] = if is_root() {
        &[User::Same, User::Ordinary]
    } else {
        &[User::Ordinary]
    };
    let sandboxes = SANDBOXES.iter();
    let pairs = sandboxes.flat_map(|sandbox| users.iter().map(move |user| (*sandbox, *user)));
    pairs.collect()
}

/// A store and a broker for Drover as `user`.
pub(crate) fn cluster_of(user: User) -> TestCluster {
    match user {
        User::Same => TestCluster::new(),
        User::Ordinary => TestCluster::of_ordinary_user(),
    }
}

/// Makes a root with a `/pfs` and a `/dev/shm` of its own, as a container has, and runs the rest of the command line in it. If `FOREIGN` is set, that
/// folder is the `/pfs`, else an empty one.
const CONTAINER: &str = r#"
    root="$OUTSIDE/root"; mkdir -p "$root" && mount -t tmpfs none "$root" || exit 71
    for each in /*; do
        if [ -L "$each" ]; then cp -P "$each" "$root"; elif [ -d "$each" ]; then mkdir "$root$each" && mount --rbind "$each" "$root$each"; fi
    done
    mount -t tmpfs -o mode=1777 none "$root/dev/shm" || exit 75
    mkdir "$root/pfs" && chmod 777 "$root/pfs" || exit 72
    [ -z "$FOREIGN" ] || mount --bind "$FOREIGN" "$root/pfs" || exit 73
    mkdir "$root/old" && here=$PWD && cd "$root" && pivot_root . old && umount -l /old && rmdir /old || exit 74
    cd "$here" && exec "$@""#;

/// Starts a worker of one slot for the pipeline `made`.
pub(crate) fn worker(cluster: &TestCluster, sandbox: &str) -> Running {
    let command = worker_command(cluster, sandbox);
    cluster.workspace.start_command(command)
}

/// The URL of the broker in a file beside the store, which every user may read.
fn broker_in_file(cluster: &TestCluster) -> String {
    let folder = cluster.workspace.store().with_file_name("credentials");
    fs::create_dir_all(&folder).expect("the workspace is writable");
    let file = folder.join("broker");
    fs::write(&file, cluster.url()).expect("the workspace is writable");
    format!("file:{}", file.display())
}

/// A worker of one slot for the pipeline `made`, with a secret in its environment and another one in a file.
pub(crate) fn worker_command(cluster: &TestCluster, sandbox: &str) -> Command {
    let arguments = ["--slots", "1", "--sandbox", sandbox];
    let broker = broker_in_file(cluster);
    let mut command = cluster.worker_command(&broker, "made", &arguments);
    for name in [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "AZURE_STORAGE_KEY",
        "DROVER_TOKEN",
    ] {
        command.env(name, SECRET);
    }
    if sandbox == "links" {
        in_container(&command)
    } else {
        command
    }
}

/// The same command in a mount namespace with a root of its own.
fn in_container(command: &Command) -> Command {
    let mut contained = Command::new("unshare");
    contained.args(["--mount", "--propagation", "private"]);
    if !is_root() {
        contained.arg("--map-root-user");
    }
    contained.args(["sh", "-c", CONTAINER, "sh"]);
    contained
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        contained.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => contained.env(name, value),
            None => contained.env_remove(name),
        };
    }
    contained
}

/// A pipeline that runs a script over the files of `in`. The function `found` of the script tells of a success beside the
/// store; `$out` is the datum's output, `$DOT` is `.drover`.
pub(crate) fn attack(cluster: &TestCluster, script: &str) -> Spec {
    let store = cluster.workspace.store();
    let prelude = r#"
        found() { echo "$1" >> "$OUTSIDE/found"; }
        out=${PFS:-/pfs}/out; DOT="$STORE/.drover"; exec 2> /dev/null"#;
    Spec::new("made")
        .reads("in", "/*")
        .sh(&format!(
            "{prelude}\n{script}\necho over >> \"$OUTSIDE/over\""
        ))
        .set("transform.env", serde_json::json!({ "STORE": store }))
}

/// Runs an attack over `datums` files to its end, and returns what succeeded.
pub(crate) fn found(sandbox: &str, user: User, datums: usize, script: &str) -> String {
    let cluster = cluster_of(user);
    cluster.workspace.numbered_files("in", datums);
    let _service = cluster.serve();
    let worker = worker(&cluster, sandbox);
    let id = cluster.publish(&attack(&cluster, script));
    let job = cluster.wait(&id);
    let told = || format!("{sandbox} {user:?}: {job:?}\n{}", worker.stderr());
    assert_eq!(cluster.workspace.line_count("over"), datums, "{}", told());
    assert_eq!(job.state(), "success", "{}", told());
    for whole in [worker.stderr(), format!("{job:?}")] {
        assert!(!whole.contains(SECRET), "{}", told());
    }
    fs::read_to_string(cluster.workspace.outside("found")).unwrap_or_default()
}
