//! Celery on the same broker: prefork, two processes, acks late, confirms on, no result backend.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use drover_tests::repository;

/// The version that is compared with.
const CELERY: &str = "celery==5.7.0";

const TASKS: &str = r#"
import subprocess, sys, time
from celery import Celery
from kombu import Queue

url, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
app = Celery("bench", broker=url)
app.conf.update(
    task_queues=[Queue("bench-" + kind, queue_arguments={"x-queue-type": kind})],
    task_default_queue="bench-" + kind,
    task_acks_late=True, task_ignore_result=True, worker_prefetch_multiplier=16,
    broker_transport_options={"confirm_publish": True},
    worker_detect_quorum_queues=True, broker_connection_retry_on_startup=True,
)

@app.task(name="tasks.run")
def run(number):
    subprocess.run(["/bin/true"], check=True)
    with open(sys.argv[4], "ab", buffering=0) as done:
        done.write(b".")

if __name__ == "__main__":
    import os, threading
    worker = subprocess.Popen([sys.executable, "-m", "celery", "-A", "tasks", "worker", "-c2", "-l", "error",
                               "--without-gossip", "--without-mingle", "--without-heartbeat"],
                              env={**os.environ, "BENCH": "\n".join(sys.argv[1:5])})
    for number in range(count):
        run.delay(number)
    while not os.path.exists(sys.argv[4]) or os.path.getsize(sys.argv[4]) < count:
        time.sleep(0.02)
    worker.terminate(); worker.wait()
"#;

/// The command that runs `count` tasks through a queue of this kind, or why there is none.
pub(super) fn command(url: &str, queue: &str, count: u64) -> Result<Command, String> {
    let home = install()?;
    let tasks = home.join("tasks.py");
    // The worker process imports the module without arguments; it gets them by the environment.
    let text = TASKS.replacen(
        "import subprocess, sys, time",
        "import os, subprocess, sys, time\nif 'BENCH' in os.environ: sys.argv = ['tasks.py'] + os.environ['BENCH'].split('\\n')",
        1,
    );
    fs::write(&tasks, text).map_err(|error| error.to_string())?;
    let done = home.join(format!("done-{queue}"));
    let _ = fs::remove_file(&done);
    let mut command = Command::new(home.join("bin/python"));
    command
        .current_dir(&home)
        .arg("tasks.py")
        .args([url, queue, &count.to_string()])
        .arg(done);
    Ok(command)
}

/// A separate Python environment with Celery.
fn install() -> Result<PathBuf, String> {
    let home = repository().join("target/celery");
    if home.join("bin/celery").exists() {
        return Ok(home);
    }
    let run = |program: PathBuf, args: &[&str]| {
        let status = Command::new(program).args(args).status();
        status.is_ok_and(|status| status.success())
    };
    let venv = home.to_string_lossy().into_owned();
    if !run("python3".into(), &["-m", "venv", &venv])
        || !run(home.join("bin/pip"), &["install", "--quiet", CELERY])
    {
        return Err(format!(
            "not compared; python3 with venv and pip cannot install {CELERY}"
        ));
    }
    Ok(home)
}
