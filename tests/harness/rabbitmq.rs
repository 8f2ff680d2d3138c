//! A RabbitMQ broker of its own, from Debian's package, with an epmd of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Duration,
};

use rustix::process::Signal;

use super::{
    amqp::Amqp,
    ports,
    process::{Process, command, installed, output},
    scratch::Scratch,
    user::User,
};

/// Debian's wrapper in /usr/sbin insists on root or rabbitmq and on the machine's own node.
const BIN: &str = "/usr/lib/rabbitmq/bin";

const STARTS: Duration = Duration::from_secs(120);
const STOPS: Duration = Duration::from_secs(60);

/// A running broker without plugins; the user is `guest`.
#[derive(Debug)]
pub(crate) struct RabbitMq {
    // In the order of their end: the broker goes before its name server, both before their directory.
    broker: Process,
    _epmd: Process,
    node: Node,
}

/// What a broker and its command line tools must agree upon.
#[derive(Debug)]
struct Node {
    user: User,
    scratch: Scratch,
    port: u16,
    distribution: u16,
    epmd: u16,
}

impl RabbitMq {
    /// A broker that a test may freeze or kill; takes seconds.
    pub(crate) fn start() -> Self {
        Self::start_among("", &[])
    }

    /// One with TLS at a second port, where it wants a certificate of every client. The texts are those of the authority,
    /// of the broker's certificate and of its key.
    pub(crate) fn start_with_tls(ca: &str, certificate: &str, key: &str) -> (Self, u16) {
        let port = ports::free();
        let config = format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = ca.pem\nssl_options.certfile = it.pem\n\
             ssl_options.keyfile = it.key\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n"
        );
        (Self::start_among(&config, &[("ca.pem", ca), ("it.pem", certificate), ("it.key", key)]), port)
    }

    fn start_among(config: &str, files: &[(&str, &str)]) -> Self {
        let user = User::unprivileged(&["rabbitmq"]);
        let scratch = Scratch::new("rabbitmq", user);
        let own = [("enabled_plugins", "[].\n"), ("env.conf", ""), ("rabbitmq.conf", config)];
        for (name, text) in own.iter().chain(files) {
            scratch.write(name, text, user);
        }
        let [port, distribution, epmd] = [ports::free(), ports::free(), ports::free()];
        let node = Node { user, scratch, port, distribution, epmd };
        // Started here, or else the broker starts one that nobody ends.
        let mut name_server = node.command(&program(Path::new("/usr/bin/epmd")));
        name_server.args(["-address", "127.0.0.1", "-port", &epmd.to_string()]);
        let name_server = Process::start("epmd", name_server, node.scratch.path());
        name_server.ready("open port of epmd", STARTS, || std::net::TcpStream::connect(("127.0.0.1", epmd)));
        let broker = node.serve();
        Self { broker, _epmd: name_server, node }
    }

    /// The broker of this test binary, for tests that leave it running and use queues of their own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Where a client connects, to the default virtual host.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.node.port)
    }

    /// The AMQP port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.node.port
    }

    /// Makes a durable queue.
    #[track_caller]
    pub(crate) fn declare_queue(&self, queue: &str) {
        self.with(|amqp| amqp.declare(queue));
    }

    /// Puts `n` messages into a queue; returns when the broker has them.
    #[track_caller]
    pub(crate) fn publish(&self, queue: &str, n: u64) {
        self.with(|amqp| amqp.publish(queue, n));
    }

    /// How many messages are ready in a queue.
    #[track_caller]
    pub(crate) fn messages(&self, queue: &str) -> u32 {
        self.with(|amqp| amqp.look(queue)).0
    }

    /// Runs rabbitmqctl; takes a second or two.
    #[track_caller]
    pub(crate) fn ctl(&self, args: &[&str]) -> String {
        let mut ctl = self.node.command(&program(&Path::new(BIN).join("rabbitmqctl")));
        ctl.arg("--quiet").args(args);
        output(ctl)
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.broker.stdout()
    }

    /// Stops the broker where it is.
    pub(crate) fn freeze(&self) {
        self.broker.freeze();
    }

    /// Ends a freeze.
    pub(crate) fn thaw(&self) {
        self.broker.thaw();
    }

    /// Kills the broker: connections are reset, new ones refused.
    pub(crate) fn kill(&self) {
        self.broker.kill();
    }

    /// Shuts the broker down, telling the clients.
    #[track_caller]
    pub(crate) fn stop(&self) {
        self.broker.stop(Signal::TERM, STOPS);
    }

    /// Starts it again on the same port with the same data, after having stopped it if it runs.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        if self.broker.exited().is_none() {
            self.stop();
        }
        self.broker = self.node.serve();
    }

    #[track_caller]
    fn with<T>(&self, act: impl FnOnce(&mut Amqp) -> std::io::Result<T>) -> T {
        let done = Amqp::connect(self.node.port).and_then(|mut amqp| {
            let value = act(&mut amqp)?;
            amqp.close()?;
            Ok(value)
        });
        done.unwrap_or_else(|e| panic!("rabbitmq: {e}"))
    }
}

impl Node {
    /// Starts the broker; returns when it answers.
    #[track_caller]
    fn serve(&self) -> Process {
        let server = self.command(&program(&Path::new(BIN).join("rabbitmq-server")));
        let broker = Process::start("rabbitmq", server, self.scratch.path());
        broker.ready("AMQP handshake", STARTS, || Amqp::connect(self.port)?.close());
        broker
    }

    /// A command with everything in the environment that keeps it away from the machine's own broker.
    fn command(&self, program: &Path) -> Command {
        let mut command = command(program, self.user, "KILL");
        command
            .current_dir(self.scratch.path())
            .env("HOME", self.scratch.path()) // of the Erlang cookie
            .env("LANG", "C.UTF-8")
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd.to_string())
            .env("RABBITMQ_NODENAME", format!("vitalsign-{}@localhost", self.port))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution.to_string())
            .env("RABBITMQ_LOGS", "-")
            .env("RUNNING_UNDER_SYSTEMD", "true"); // no shell between us and the virtual machine
        for (variable, name) in [
            ("RABBITMQ_CONF_ENV_FILE", "env.conf"),
            ("RABBITMQ_CONFIG_FILE", "rabbitmq.conf"),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", "advanced.config"),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", "enabled_plugins"),
            ("RABBITMQ_GENERATED_CONFIG_DIR", "config"),
            ("RABBITMQ_SCHEMA_DIR", "schema"),
            ("RABBITMQ_MNESIA_BASE", "mnesia"),
            ("RABBITMQ_LOG_BASE", "log"),
        ] {
            command.env(variable, self.scratch.join(name));
        }
        command
    }
}

fn program(path: &Path) -> PathBuf {
    installed(path, "rabbitmq-server")
}
