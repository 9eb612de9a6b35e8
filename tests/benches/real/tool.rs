//! The tools, and how each is started.

use std::path::PathBuf;
use std::process::Command;

use drover_tests::{drover, repository, shared};

/// A tool that does the tasks.
pub(super) struct Tool {
    /// Name and pinned version.
    pub(super) name: &'static str,
    /// The requirement for pip, if the tool comes from there.
    package: Option<&'static str>,
    /// Files that a user writes; the first is started.
    pub(super) files: &'static [&'static str],
    /// Program and arguments before the first file.
    start: &'static [&'static str],
    /// True if a killed run that is started again is meant to go on.
    pub(super) resumes: bool,
}

/// The tools in the order of their rows. The first is the floor of CPU and the reference of the output.
pub(super) const TOOLS: &[Tool] = &[
    Tool {
        name: "xargs",
        package: None,
        files: &["xargs.sh"],
        start: &["sh", "-eu"],
        resumes: false,
    },
    Tool {
        name: "drover",
        package: None,
        files: &["drover.sh", "drover.yaml"],
        start: &["sh", "-eu"],
        resumes: true,
    },
    Tool {
        name: "parallel",
        package: None,
        files: &["parallel.sh"],
        start: &["sh", "-eu"],
        resumes: true,
    },
    Tool {
        name: "hyperqueue 0.27.0",
        package: Some("hyperqueue==0.27.0"),
        files: &["hyperqueue_job.py"],
        start: &["python"],
        resumes: false,
    },
    Tool {
        name: "celery 5.7.0",
        package: Some("celery==5.7.0"),
        files: &["celery_tasks.py"],
        start: &["python"],
        resumes: false,
    },
    Tool {
        name: "snakemake 9.27.1",
        package: Some("snakemake==9.27.1"),
        files: &["Snakefile"],
        start: &[
            "snakemake",
            "--cores",
            "2",
            "--quiet",
            "all",
            "--nolock",
            "--rerun-incomplete",
            "-s",
        ],
        resumes: true,
    },
    Tool {
        name: "dask 2026.8.0",
        package: Some("distributed==2026.8.0"),
        files: &["dask_client.py"],
        start: &["python"],
        resumes: false,
    },
];

/// Installs the tools from pip into an environment of their own. The result names the tools that cannot be had.
pub(super) fn install() -> Vec<&'static str> {
    let packages = TOOLS.iter().filter_map(|tool| Some((tool, tool.package?)));
    let absent = packages.filter(|(_, package)| python_with(package).is_none());
    absent.map(|(tool, _)| tool.name).collect()
}

/// A Python with the package, in the environment of all tools; none if pip cannot install it.
pub(crate) fn python_with(package: &str) -> Option<PathBuf> {
    let run = |program: PathBuf, args: &[&str]| {
        let status = Command::new(program).args(args).status();
        status.is_ok_and(|status| status.success())
    };
    let home = environment();
    let pip = home.join("bin/pip");
    if !pip.exists() {
        run("python3".into(), &["-m", "venv", &home.to_string_lossy()]);
    }
    let is_there = run(pip, &["install", "--quiet", package]);
    if !is_there {
        crate::say(&format!("{package}: not compared; pip cannot install it"));
    }
    is_there.then(|| home.join("bin/python"))
}

fn environment() -> PathBuf {
    repository().join("target/bench-real/python")
}

impl Tool {
    /// The command that does the task; a shell looks up its programs in `path` first.
    pub(super) fn command(&self, path: &str) -> Command {
        // The tools tell their progress to stderr, amid the table.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$@\" 2>> errors.log", "sh", "env"]);
        let binaries = drover().parent().expect("a binary has a folder").display();
        let python = environment().join("bin");
        command.arg(format!(
            "PATH={path}:{binaries}:{}:/usr/local/bin:/usr/bin:/bin",
            python.display()
        ));
        if self.name.starts_with("celery") {
            command.arg(format!("BROKER={}", shared().vhost()));
        }
        command.args(self.start).arg(self.files[0]);
        command
    }
}
