//! The signals of `run`. SIGTERM and SIGINT end it; others that would end a process, and mean nothing here, are told and
//! ignored. A thread of its own waits for them, so that they are obeyed whatever all other threads do. It costs a small
//! runtime, and two file descriptors beside those.
//!
//! What was ignored when this program started stays so: that is how nohup works. SIGPIPE is: the runtime of Rust ignores
//! it from the start, and it comes with every connection that a peer has closed, so there is nothing to tell. Faults
//! (SIGSEGV and its like), SIGQUIT and SIGKILL end the process as they always do.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use rustix::process::Signal as Number;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tracing::{error, warn};

use crate::supervisor;
use crate::telemetry::Queue;

/// What is ignored, and what to say of it.
const IGNORED: [(Number, &str, &str); 9] = [
    (Number::HUP, "SIGHUP", "a signal is ignored: restart the agent to change its configuration"),
    (Number::USR1, "SIGUSR1", NOTHING),
    (Number::USR2, "SIGUSR2", NOTHING),
    (Number::ALARM, "SIGALRM", NOTHING),
    (Number::VTALARM, "SIGVTALRM", NOTHING),
    (Number::PROF, "SIGPROF", NOTHING),
    (Number::IO, "SIGIO", NOTHING),
    (Number::POWER, "SIGPWR", NOTHING),
    // The write that was too much fails, and whoever wrote says so.
    (Number::XFSZ, "SIGXFSZ", "a signal is ignored: a file has reached the limit of its size (ulimit -f)"),
];
const NOTHING: &str = "a signal is ignored: it means nothing to the agent";
/// How much longer than it should an orderly end may take before the process ends without order.
const GRACE: Duration = Duration::from_secs(5);
/// How often each ignored signal is told at most.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How long the last line has when the process ends at once.
const AT_ONCE: Duration = Duration::from_millis(200);

/// The signals of this process.
pub(super) struct Signals {
    handle: Handle,
    stopping: Arc<watch::Sender<bool>>,
    ending: oneshot::Sender<Ending>,
}

/// What ends the process.
struct Ending {
    terminate: Signal,
    interrupt: Signal,
    /// How long an orderly end may take.
    within: Duration,
    log: Queue,
}

/// Whether the process has been told to end.
pub(super) struct Stop(Arc<watch::Sender<bool>>);

impl Signals {
    /// Begins to ignore what is to be ignored. What ends the process still does that at once: nothing runs yet.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let ignored = ignore(&handle)?;
        let stopping = Arc::new(watch::Sender::new(false));
        let (ending, begins) = oneshot::channel();
        let stop = Arc::clone(&stopping);
        supervisor::thread("vitalsign-signals", move || {
            runtime.block_on(async { tokio::join!(tell(ignored), obey(begins, &stop)) })
        })?;
        Ok(Self { handle, stopping, ending })
    }

    /// Begins to obey: from now on the first signal asks for an orderly end, `within` a time.
    pub(super) fn obey(self, within: Duration, log: Queue) -> io::Result<Stop> {
        let _on_runtime = self.handle.enter();
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let ending = Ending { terminate, interrupt, within, log };
        self.ending.send(ending).map_err(|_| io::Error::other("the thread for signals has ended"))?;
        Ok(Stop(self.stopping))
    }
}

impl Stop {
    /// Waits until the process is told to end.
    pub(super) async fn asked(&self) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// The process ends without having been told: the next signal is the second one.
    pub(super) fn begins(&self) {
        self.0.send_replace(true);
    }
}

/// A signal that is told and ignored.
struct Ignored {
    signal: Signal,
    name: &'static str,
    said: &'static str,
    told: Option<Instant>,
}

/// Listens to what is ignored, but for what was ignored before.
fn ignore(handle: &Handle) -> io::Result<Vec<Ignored>> {
    let _on_runtime = handle.enter();
    let before = ignored_before();
    let ours = IGNORED.into_iter().filter(|(number, ..)| before & bit(*number) == 0);
    let listen = |(number, name, said): (Number, _, _)| {
        let signal = signal(SignalKind::from_raw(number.as_raw()))?;
        Ok(Ignored { signal, name, said, told: None })
    };
    ours.map(listen).collect()
}

/// The signals that whoever started this process had it ignore, as bits.
fn ignored_before() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0)
}

fn bit(number: Number) -> u64 {
    u32::try_from(number.as_raw() - 1).ok().and_then(|shift| 1_u64.checked_shl(shift)).unwrap_or(0)
}

/// Tells each, but not for ever where a line of the log is what brings the next signal (`ulimit -f`).
async fn tell(mut ignored: Vec<Ignored>) {
    std::future::poll_fn(|context| {
        for Ignored { signal, name, said, told } in &mut ignored {
            while signal.poll_recv(context).is_ready() {
                if told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
                    *told = Some(Instant::now());
                    warn!(signal = name, "{said}");
                }
            }
        }
        Poll::<()>::Pending
    })
    .await;
}

async fn obey(begins: oneshot::Receiver<Ending>, stopping: &watch::Sender<bool>) {
    // It never begins where the agent is refused.
    let Ok(mut ending) = begins.await else { return };
    let mut begun = stopping.subscribe();
    tokio::select! {
        () = ending.next() => drop(stopping.send_replace(true)),
        _ = begun.wait_for(|stopping| *stopping) => {}
    }
    let too_long = tokio::time::sleep(ending.within.saturating_add(GRACE));
    tokio::select! {
        () = ending.next() => error!("a second signal: ending at once"),
        () = too_long => {
            error!("stopping takes too long: ending at once");
        }
    }
    ending.log.flush(Some(AT_ONCE));
    exit();
}

/// Ends the process, whatever its other threads do.
#[expect(
    clippy::disallowed_methods,
    reason = "the main thread may be what hangs, and cannot return the code"
)]
fn exit() -> ! {
    std::process::exit(1)
}

impl Ending {
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
