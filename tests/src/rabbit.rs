//! Private `RabbitMQ` nodes: real brokers on free loopback ports, gone with the test that started them.

mod cleaner;
mod cluster;
mod installation;
mod stranger;

use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::eventually;
use cleaner::Cleaner;
use installation::{BrokerSource, Installation, wanted_nodes};

pub use stranger::publish_as_stranger;

/// Vhosts are made this many at a time: each call of `rabbitmqctl` takes a second.
const VHOSTS: usize = 16;

/// A broker for one test or, by [`shared`], for all tests of a process.
#[derive(Debug)]
pub struct Rabbit {
    place: BrokerKind,
    vhosts: Mutex<Vec<String>>,
}

#[derive(Debug)]
enum BrokerKind {
    /// Ours: it can be stopped, killed and asked.
    Node(Node),
    /// Somebody else's, named by `DROVER_TEST_BROKER_URL`.
    Url(String),
}

#[derive(Debug)]
struct Node {
    installation: Installation,
    /// Root of the node's files, as the node sees them.
    folder: PathBuf,
    port: u16,
    distribution_port: u16,
    epmd_port: u16,
    /// Removes everything in the end, however this process ends.
    _cleaner: Cleaner,
}

/// The broker that all tests of a process share, each with a [`Rabbit::vhost`] of its own; with several nodes, the first of them.
pub fn shared() -> &'static Rabbit {
    static SHARED: OnceLock<Vec<Rabbit>> = OnceLock::new();
    let nodes = SHARED.get_or_init(|| match BrokerSource::look() {
        BrokerSource::Url(url) => vec![Rabbit {
            place: BrokerKind::Url(url),
            vhosts: Mutex::default(),
        }],
        BrokerSource::Installed(_) => Rabbit::start_cluster(wanted_nodes()),
    });
    nodes.first().expect("a cluster has a node")
}

impl Rabbit {
    /// Starts a node of the test's own.
    ///
    /// # Panics
    /// When no `rabbitmq-server` is found; says what to install.
    pub fn start() -> Self {
        Self::configured("")
    }

    /// Starts a node with these lines in its `rabbitmq.conf`; `FOLDER` in them stands for the node's own folder.
    pub fn configured(configuration: &str) -> Self {
        Self::prepared(configuration, |_| ())
    }

    /// The same, after `prepare` has put what the configuration names into the node's folder.
    pub fn prepared(configuration: &str, prepare: impl FnOnce(&Path)) -> Self {
        let node = Node::prepare(BrokerSource::look().installation(), configuration);
        prepare(&node.outside());
        node.boot();
        Self::of(node)
    }

    fn of(node: Node) -> Self {
        Self {
            place: BrokerKind::Node(node),
            vhosts: Mutex::default(),
        }
    }

    /// A URL of a fresh vhost; for an external broker, the URL of that broker.
    pub fn vhost(&self) -> String {
        match &self.place {
            BrokerKind::Url(url) => url.clone(),
            BrokerKind::Node(node) => self.url(node.port, &self.fresh_vhost()),
        }
    }

    /// A URL of the default vhost, which exists also after a loss of all data.
    pub fn first_vhost(&self) -> String {
        self.url(self.port(), "%2f")
    }

    /// The URL of a vhost through another port, for example a [`crate::Proxy`]'s.
    pub fn vhost_at(&self, port: u16) -> String {
        self.url(port, &self.fresh_vhost())
    }

    /// Port of the listener.
    pub fn port(&self) -> u16 {
        self.node().port
    }

    /// Runs `rabbitmqctl` with these arguments; returns the output.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        self.node().ctl(arguments)
    }

    /// Restarts the node in good order.
    pub fn restart(&self) {
        self.stop();
        self.start_again();
    }

    /// Stops the node in good order.
    pub fn stop(&self) {
        self.node().end(Signal::SIGTERM);
    }

    /// Stops the processes of all queues of a vhost, which then have no leader, as without a majority of their nodes.
    pub fn stop_queues(&self, vhost: &str) {
        self.on_queues(vhost, "ra:stop_server");
    }

    /// Starts them again.
    pub fn start_queues(&self, vhost: &str) {
        self.on_queues(vhost, "ra:restart_server");
    }

    fn on_queues(&self, vhost: &str, function: &str) {
        let expression = format!(
            "[{function}(quorum_queues, amqqueue:get_pid(Q)) || Q <- rabbit_amqqueue:list(<<\"{vhost}\">>), \
             amqqueue:get_type(Q) == rabbit_quorum_queue]."
        );
        self.ctl(&["eval", &expression]);
    }

    /// Waits until the node has written down that the queues of the pipeline exist, some time after their
    /// confirmation: before that, a queue does not survive [`Rabbit::kill`], and comes back without members that
    /// could elect a leader (seen with 3.10.8, whose `ra_directory` leaves the writes of its table to the table's
    /// delay).
    pub fn remembers(&self, pipeline: &str) {
        let queues = ["datums", "reports", "dead"].map(|kind| format!("drover.{pipeline}.{kind}"));
        self.node().remembers(|| queues.to_vec());
    }

    /// Waits until the node has written down all replicas of queues that it has: see [`Rabbit::remembers`].
    pub fn remembers_replicas(&self) {
        let node = self.node();
        node.remembers(|| node.replicas());
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&self) {
        self.node().end(Signal::SIGKILL);
    }

    /// Kills the node at once; stored messages stay on disk.
    pub fn lose_everything(&self) {
        self.kill();
        let data = self.node().outside().join("data");
        fs::remove_dir_all(data).expect("the node's folder is writable");
    }

    /// Starts it after [`Rabbit::stop`], [`Rabbit::kill`] or [`Rabbit::lose_everything`].
    pub fn start_again(&self) {
        self.node().boot();
    }

    #[expect(clippy::unused_self, reason = "only a node of ours has such URLs")]
    fn url(&self, port: u16, vhost: &str) -> String {
        format!("amqp://guest:guest@127.0.0.1:{port}/{vhost}")
    }

    fn node(&self) -> &Node {
        match &self.place {
            BrokerKind::Node(node) => node,
            BrokerKind::Url(_) => panic!("this test needs a broker of its own, not a URL's"),
        }
    }

    fn fresh_vhost(&self) -> String {
        let mut vhosts = self.vhosts.lock().unwrap_or_else(PoisonError::into_inner);
        if vhosts.is_empty() {
            vhosts.extend(self.node().make_vhosts(VHOSTS));
        }
        vhosts.pop().expect("some were made")
    }
}

impl Node {
    fn prepare(installation: Installation, configuration: &str) -> Self {
        cleaner::sweep(&installation.base());
        let folder = cleaner::new_folder(&installation.base());
        let [port, distribution_port, epmd_port] = free_ports();
        let node = Self {
            _cleaner: Cleaner::of(&installation.outside(&folder), &folder),
            installation,
            folder,
            port,
            distribution_port,
            epmd_port,
        };
        let configuration = format!(
            "disk_free_limit.absolute = 1MB\nlog.file.level = info\n{}",
            configuration.replace("FOLDER", &node.folder.to_string_lossy())
        );
        node.write("rabbitmq.conf", &configuration);
        node.write("enabled_plugins", "[].");
        node.write("rabbitmq-env.conf", "");
        node
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.outside().join(name);
        fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
    }

    /// The folder as the current process sees it.
    fn outside(&self) -> PathBuf {
        self.installation.outside(&self.folder)
    }

    fn boot(&self) {
        let said = |name: &str| {
            fs::File::create(self.outside().join(name)).expect("the node's folder is writable")
        };
        let mut server = self
            .command("rabbitmq-server")
            .stdin(Stdio::null())
            .stdout(said("stdout"))
            .stderr(said("stderr"))
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("rabbitmq-server does not start: {error}"));
        eventually("the broker listens", || {
            if let Ok(Some(status)) = server.try_wait() {
                panic!("the broker did not boot: {status}\n{}", self.said());
            }
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
        });
        // The end of the process has to be reaped.
        std::thread::spawn(move || server.wait());
    }

    /// Waits until the table of replicas on disk has these names.
    fn remembers(&self, names: impl Fn() -> Vec<String>) {
        let table = self.replicas_folder().join("names.dets");
        eventually("the broker has written down its queues", || {
            let known = fs::read(&table).unwrap_or_default();
            let known = String::from_utf8_lossy(&known);
            names().iter().all(|name| known.contains(name))
        });
    }

    /// The ids of the replicas on the node: each has a folder.
    fn replicas(&self) -> Vec<String> {
        let entries = fs::read_dir(self.replicas_folder()).into_iter().flatten();
        let folders = entries.flatten().filter(|entry| entry.path().is_dir());
        folders
            .map(|folder| folder.file_name().to_string_lossy().into_owned())
            .collect()
    }

    fn replicas_folder(&self) -> PathBuf {
        let folder = format!("data/{}/quorum/{0}", self.name());
        self.outside().join(folder)
    }

    fn said(&self) -> String {
        ["stdout", "stderr"]
            .map(|name| fs::read_to_string(self.outside().join(name)).unwrap_or_default())
            .concat()
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("timeout");
        let rabbitmqctl = self.command("rabbitmqctl");
        command.arg("60").arg(rabbitmqctl.get_program());
        command.args(rabbitmqctl.get_args()).args(arguments);
        command.envs(
            rabbitmqctl
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        let output = command.output().expect("coreutils are there");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    fn make_vhosts(&self, count: usize) -> Vec<String> {
        let names: Vec<_> = (0..count).map(|_| crate::unique("vhost")).collect();
        let list = names.iter().map(|name| format!("<<\"{name}\">>"));
        let list = list.collect::<Vec<_>>().join(",");
        self.ctl(&[
            "eval",
            &format!(
                "[begin rabbit_vhost:add(V, <<\"tests\">>), rabbit_auth_backend_internal:set_permissions(<<\"guest\">>, V, <<\".*\">>, <<\".*\">>, \
                 <<\".*\">>, <<\"tests\">>) end || V <- [{list}]]."
            ),
        ]);
        names
    }

    fn end(&self, signal: Signal) {
        let pid = self.pid();
        kill(pid, signal).expect("the node is ours");
        eventually("the broker is gone", || kill(pid, None).is_err());
    }

    /// The process id of the virtual machine.
    fn pid(&self) -> Pid {
        let boots = |pid: &Pid| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            // `rabbitmqctl` is a virtual machine as well, and the script that starts such a machine names the started
            // program.
            command.contains("/beam") && command.contains("\0rabbit\0boot\0")
        };
        let machine = cleaner::processes_of(&self.folder).into_iter().find(boots);
        machine.expect("the broker runs")
    }

    fn name(&self) -> String {
        format!("drover-test-{}@localhost", self.port)
    }

    /// A command of the installation, with the address of the node.
    fn command(&self, name: &str) -> Command {
        let mut command = self.installation.command(name);
        let inside = |name: &str| self.folder.join(name);
        command
            .env("HOME", &self.folder)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", self.name())
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", inside("data"))
            .env("RABBITMQ_LOG_BASE", inside("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", inside("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", inside("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", inside("advanced.config"))
            .env("RABBITMQ_CONF_ENV_FILE", inside("rabbitmq-env.conf"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", inside("config"))
            .env("RABBITMQ_FEATURE_FLAGS_FILE", inside("feature_flags"))
            .env("RABBITMQ_PID_FILE", inside("pid"));
        if name == "rabbitmq-server" {
            // Only on the loopback interface, and without spinning while there is nothing to do.
            command.env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        }
        command
    }
}

/// Free ports outside of the range for clients: they stay free until the node binds them.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| {
        loop {
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, any_port())) {
                break listener;
            }
        }
    });
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

/// Below the range from which systems choose ports for clients and for listeners on port 0.
fn any_port() -> u16 {
    let any = RandomState::new().build_hasher().finish();
    10_000 + u16::try_from(any % 22_000).expect("it is less than 22000")
}
