//! A child process of the tests: unprivileged, in a process group of its own, dead when the test process is,
//! its output in files that are shown when it does not come up. It can be frozen, thawed, killed and stopped
//! together with everything it started.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    time::Duration,
};

use parking_lot::Mutex;
use rustix::process::Signal;

use super::{
    eventually::{Look, eventually, within},
    guard::Guard,
    process_tree::{is_alive, is_stopped, send, tree},
    user::User,
};

/// The search path of every child; none inherits the environment of the tests.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const SIGNALS_ARRIVE: Duration = Duration::from_secs(60);

/// A command run as `user` with nothing but `PATH` in its environment, that gets `orphaned` (a signal's name)
/// when the test process ends, however it ends.
pub(crate) fn command(program: impl AsRef<Path>, user: User, orphaned: &str) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(user.setpriv())
        .args(["--pdeathsig", orphaned, "--"])
        .arg(program.as_ref())
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null());
    command
}

/// The program at `path`, which Debian's `package` installs.
#[track_caller]
pub(crate) fn installed(path: impl Into<PathBuf>, package: &str) -> PathBuf {
    let path = path.into();
    assert!(path.exists(), "{} is missing: run tests/run, or apt-get install {package}", path.display());
    path
}

/// A password that no other server has.
pub(crate) fn password() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(24).collect()
}

/// Runs a command to its end; fails the test with its output when it fails.
#[track_caller]
pub(crate) fn output(mut command: Command) -> String {
    let done = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{command:?}: {}\n{stdout}{}",
        done.status,
        String::from_utf8_lossy(&done.stderr)
    );
    stdout
}

/// A running child.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    pid: i32,
    child: Mutex<Child>,
    frozen: Mutex<Option<Guard>>,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts a [`command`]; its output goes to `name.out` and `name.log` in `dir`.
    pub(crate) fn start(name: &str, mut command: Command, dir: &Path) -> Self {
        let file = |ending| dir.join(format!("{name}.{ending}"));
        let (stdout, stderr) = (file("out"), file("log"));
        let open = |path| File::options().create(true).append(true).open(path).expect("open a log file");
        command.stdout(open(&stdout)).stderr(open(&stderr)).process_group(0);
        let child = spawn(command).unwrap_or_else(|e| panic!("start {name}: {e}"));
        let pid = i32::try_from(child.id()).expect("a process id");
        Self {
            name: name.to_owned(),
            pid,
            child: Mutex::new(child),
            frozen: Mutex::new(None),
            stdout,
            stderr,
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// What it wrote to stdout so far.
    pub(crate) fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it wrote to stderr so far.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Its exit status, once it has one.
    pub(crate) fn exited(&self) -> Option<ExitStatus> {
        self.child.lock().try_wait().expect("ask for the exit status")
    }

    /// Waits until `look` holds; fails with the output when it does not, or at once when the process ends.
    #[track_caller]
    pub(crate) fn ready<L: Look>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> L,
    ) -> L::Value {
        let seen = within(limit, || match self.exited() {
            Some(status) => Ok(Err(format!("it ended with {status}"))),
            None => look().settle().map(Ok),
        });
        match seen {
            Ok(Ok(value)) => value,
            Ok(Err(seen)) | Err(seen) => {
                panic!("{}: no {what}: {seen}\n{}{}", self.name, self.stdout(), self.stderr())
            }
        }
    }

    /// Stops it and all it started in the middle of whatever they do: sockets stay open, nothing answers.
    pub(crate) fn freeze(&self) {
        let mut frozen = self.frozen.lock();
        let all = self.stop_all();
        // A stopped process would not notice that the tests are gone.
        let guard = Guard::new(r#"kill -KILL "$@""#, all.iter().map(i32::to_string));
        drop(frozen.replace(guard));
    }

    /// Ends a [`freeze`](Self::freeze).
    pub(crate) fn thaw(&self) {
        let guard = self.frozen.lock().take();
        tree(self.pid).into_iter().for_each(|pid| send(pid, Signal::CONT));
        drop(guard);
    }

    /// Sends a signal to the process itself.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.exited().is_none() {
            send(self.pid, signal);
        }
    }

    /// Ends it and all it started by SIGKILL, frozen or not, and waits until they are gone.
    pub(crate) fn kill(&self) {
        if self.exited().is_none() {
            let all = self.stop_all(); // so that none starts another meanwhile
            all.iter().for_each(|&pid| send(pid, Signal::KILL));
            self.child.lock().wait().expect("wait for a killed process");
            eventually("killed processes to be gone", SIGNALS_ARRIVE, || {
                all.iter().find(|&&pid| is_alive(pid)).map_or(Ok(()), |pid| Err(format!("{pid} alive")))
            });
        }
        self.frozen.lock().take();
    }

    /// Asks it to end by `signal` and waits for that; fails with its output after `limit`.
    #[track_caller]
    pub(crate) fn stop(&self, signal: Signal, limit: Duration) -> ExitStatus {
        self.thaw();
        self.signal(signal);
        self.wait(limit)
    }

    /// Waits until it ends of its own accord.
    #[track_caller]
    pub(crate) fn wait(&self, limit: Duration) -> ExitStatus {
        within(limit, || self.exited()).unwrap_or_else(|_| {
            panic!("{}: still running after {limit:?}\n{}{}", self.name, self.stdout(), self.stderr())
        })
    }

    /// Stops parents before children, and looks again until nobody new has turned up.
    fn stop_all(&self) -> Vec<i32> {
        eventually("all processes to be stopped", SIGNALS_ARRIVE, || {
            let all = tree(self.pid);
            let running: Vec<i32> = all.iter().copied().filter(|&pid| !is_stopped(pid)).collect();
            running.iter().for_each(|&pid| send(pid, Signal::STOP));
            if running.is_empty() { Ok(all) } else { Err(format!("{running:?} running")) }
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Linux sends the parent-death signal when the *thread* that forked ends, and every test has a thread of its
/// own; so one thread that lives as long as the test process forks for all.
#[expect(clippy::disallowed_methods, reason = "tests have no supervisor")]
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    SPAWNER.send((command, reply)).expect("the spawning thread lives");
    answer.recv().expect("the spawning thread answers")
}
