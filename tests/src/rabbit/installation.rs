//! Finds a `RabbitMQ` to start nodes of.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where distributions keep the scripts that start a node without changing user or place.
const SCRIPTS: &str = "usr/lib/rabbitmq/bin";

/// Enters another system's root; a node looks into `/proc` for the memory there is. The mount is seen by nobody else.
const ENTER: &str = r#"mount -t proc proc "$0/proc" && exec chroot "$0" "$@""#;

/// Ways to run `RabbitMQ`.
#[derive(Clone, Debug)]
pub(super) enum BrokerSource {
    Installed(Installation),
    /// `DROVER_TEST_BROKER_URL`.
    Url(String),
}

/// A `RabbitMQ` whose commands can be run.
#[derive(Clone, Debug)]
pub(super) struct Installation {
    /// The folder of `rabbitmq-server` and `rabbitmqctl`, as seen from the root.
    scripts: PathBuf,
    /// A root file system of its own.
    root: Option<PathBuf>,
}

impl BrokerSource {
    /// Looks at `DROVER_TEST_RABBITMQ` (a folder with the script `rabbitmq-server`, or the root of another system),
    /// then at `DROVER_TEST_BROKER_URL`, then at what is installed here.
    pub(super) fn look() -> Self {
        if let Some(folder) = setting("DROVER_TEST_RABBITMQ") {
            return Self::Installed(Installation::named(Path::new(&folder)));
        }
        if let Some(url) = setting("DROVER_TEST_BROKER_URL") {
            return Self::Url(url);
        }
        Self::Installed(Installation::here().unwrap_or_else(|| {
            panic!(
                "no rabbitmq-server here: `make test` installs it, as does `apt-get install rabbitmq-server`; or name the folder of one in \
                 DROVER_TEST_RABBITMQ; or start one (docker run -d -p 5672:5672 rabbitmq:4) and give its URL in DROVER_TEST_BROKER_URL"
            )
        }))
    }

    pub(super) fn installation(self) -> Installation {
        match self {
            Self::Installed(installation) => installation,
            Self::Url(_) => panic!(
                "this test starts and kills a broker of its own, which DROVER_TEST_BROKER_URL is not: unset it and install rabbitmq-server \
                 (apt-get install rabbitmq-server), or run other tests"
            ),
        }
    }
}

impl Installation {
    fn named(folder: &Path) -> Self {
        if folder.join("rabbitmq-server").is_file() {
            return Self {
                scripts: folder.to_owned(),
                root: None,
            };
        }
        assert!(
            folder.join(SCRIPTS).join("rabbitmq-server").is_file(),
            "DROVER_TEST_RABBITMQ={} holds neither rabbitmq-server nor {SCRIPTS}/rabbitmq-server",
            folder.display()
        );
        Self {
            scripts: Path::new("/").join(SCRIPTS),
            root: Some(folder.to_owned()),
        }
    }

    fn here() -> Option<Self> {
        let path = setting("PATH").unwrap_or_default();
        let known = [Path::new("/").join(SCRIPTS)];
        let mut folders = known.into_iter().chain(std::env::split_paths(&path));
        let scripts = folders.find(|folder| folder.join("rabbitmq-server").is_file())?;
        Some(Self {
            scripts,
            root: None,
        })
    }

    /// One of its commands.
    pub(super) fn command(&self, name: &str) -> Command {
        let script = self.scripts.join(name);
        match &self.root {
            None => Command::new(script),
            Some(root) => {
                let mut command = Command::new("unshare");
                command
                    .args(["--mount", "sh", "-c", ENTER])
                    .arg(root)
                    .arg(script);
                command
            }
        }
    }

    /// A path of the node, as the current process sees the file.
    pub(super) fn outside(&self, inside: &Path) -> PathBuf {
        match (&self.root, inside.strip_prefix("/")) {
            (Some(root), Ok(inside)) => root.join(inside),
            _ => inside.to_owned(),
        }
    }

    /// Parent of the nodes' folders, as the current process sees it.
    pub(super) fn base(&self) -> PathBuf {
        self.outside(Path::new("/var/tmp"))
    }
}

/// The number of nodes of the shared broker: `DROVER_TEST_NODES`, or one.
pub(super) fn wanted_nodes() -> usize {
    setting("DROVER_TEST_NODES").map_or(1, |count| {
        count
            .parse()
            .unwrap_or_else(|_| panic!("DROVER_TEST_NODES={count} is no number"))
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no command line of its own"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
