//! What a program that embeds the library can do: checks out of functions and types, judged as it says, and an agent of
//! its own that leaves nothing behind.

use std::{net::TcpListener, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::sleep;
use vitalsign::{
    Agent, BlockingCheck, Check, FunctionCheck, Outcome, Plan, Run, check, check_with,
    metrics::Store,
    model::{Name, Reason},
};

use crate::harness::{
    eventually::eventually,
    http,
    inside::{Parts, Whole, plan, scrape_of},
};

#[path = "embedding/policy.rs"]
mod policy;

const SOON: Duration = Duration::from_secs(60);

/// A type that is a check.
struct Ledger {
    backlog: i64,
}

impl Check for Ledger {
    async fn run(&self, run: &Run) -> Outcome {
        assert_eq!(run.timeout(), Duration::from_secs(5));
        match self.backlog {
            ..1_000 => Outcome::pass().detail("backlog", self.backlog),
            _ => Outcome::warn("the backlog is growing").detail("backlog", self.backlog),
        }
    }
}

/// One that blocks its thread.
struct File;

impl BlockingCheck for File {
    fn run(&self, _run: &Run) -> Outcome {
        match std::fs::read("/proc/self/none") {
            Ok(_) => Outcome::pass(),
            Err(error) => Outcome::failed(Reason::NotFound).because(error),
        }
    }
}

#[test]
fn whatever_a_function_returns_becomes_a_verdict() {
    let pool = Arc::new(vec![1, 2, 3]);
    let whole = Whole::start([
        check("unit", async || ()),
        check("yes", async || true),
        check("no", async || false),
        check("ok", async || Ok::<(), std::io::Error>(())),
        check("ok_no", async || Ok::<bool, std::io::Error>(false)),
        check("err", async || Err::<(), _>(std::io::Error::other("canary"))),
        check("text", async || Err::<(), _>("canary")),
        check("outcome", async || Outcome::warn("getting slow")),
        check("said", async || Outcome::fail("the printer is on fire")),
        check("reason", async || Ok::<_, String>(Outcome::failed(Reason::PoolExhausted))),
        check("returns_a_future", || std::future::ready(true)),
        check("type", Ledger { backlog: 3 }),
        check("type_warns", Ledger { backlog: 3_000 }),
        check_with("state", pool, |pool| async move { pool.len() < 10 }),
        FunctionCheck::blocking("blocking", File),
    ]);
    eventually("all verdicts", SOON, || {
        let document = whole.get("/health").json();
        document["checks"].as_object().unwrap().values().all(|check| check["status"] != "unknown")
    });
    for (name, status, reason, error) in [
        ("unit", "healthy", "", ""),
        ("yes", "healthy", "", ""),
        ("no", "unhealthy", "_OTHER", "the check failed"),
        ("ok", "healthy", "", ""),
        ("ok_no", "unhealthy", "_OTHER", "the check failed"),
        ("err", "unhealthy", "_OTHER", "the check failed"),
        ("text", "unhealthy", "_OTHER", "the check failed"),
        ("outcome", "degraded", "_OTHER", "getting slow"),
        ("said", "unhealthy", "_OTHER", "the printer is on fire"),
        ("reason", "unhealthy", "pool_exhausted", "no free connection in the pool"),
        ("returns_a_future", "healthy", "", ""),
        ("type", "healthy", "", ""),
        ("type_warns", "degraded", "_OTHER", "the backlog is growing"),
        ("state", "healthy", "", ""),
        ("blocking", "unhealthy", "not_found", "not found"),
    ] {
        let check = whole.check(name);
        let text = |field: &str| check.get(field).and_then(Value::as_str).unwrap_or_default();
        assert_eq!(
            (text("status"), text("reason"), text("error")),
            (status, reason, error),
            "{name}: {check}"
        );
        assert_eq!(check["kind"], "function");
    }
    assert_eq!(whole.check("type")["details"]["backlog"], 3);
}

#[test]
fn a_name_that_cannot_be_one_is_told() {
    for name in ["", "Orders", "a b", &"a".repeat(64)] {
        let refused = Plan::default().add(check(name, async || true)).unwrap_err();
        assert!(refused.to_string().starts_with("a name "), "{refused}");
    }
}

#[test]
fn two_agents_in_one_process_share_nothing() {
    let stores = [Store::new(), Store::new()];
    let start = |name: &str, up: bool, store: &Store| {
        let check = check_with(name, up, |up| async move { up }).critical();
        Agent::start(plan([check]), store).unwrap()
    };
    let (left, right) = (start("left", true, &stores[0]), start("right", false, &stores[1]));
    let status = |agent: &Agent, path: &str| http::get(agent.addresses()[0], path).status;
    eventually("both verdicts", SOON, || {
        status(&left, "/health/ready") == 200 && status(&right, "/health/checks/right") == 503
    });
    assert_eq!(status(&left, "/health/checks/right"), 404);
    assert_eq!(status(&right, "/health/checks/left"), 404);
    for (store, own, other) in [(&stores[0], "left", "right"), (&stores[1], "right", "left")] {
        let page = scrape_of(store);
        assert!(page.value("healthcheck_runs_total", &[("healthcheck_name", own)]).is_some());
        assert_eq!(page.value("healthcheck_runs_total", &[("healthcheck_name", other)]), None);
    }
    drop(left);
    assert_eq!(status(&right, "/health/live"), 200, "the other one goes on");
}

#[tokio::test]
async fn an_agent_stops_in_order_and_frees_its_port() {
    let agent = Agent::start(plan([check("db", async || true)]), &Store::new()).unwrap();
    let addr = agent.addresses()[0];
    agent.stop().await;
    TcpListener::bind(addr).expect("nobody listens there any more");
}

/// Also while a check blocks, and where blocking is not allowed: what it leaves behind ends by itself.
#[tokio::test]
async fn an_agent_that_is_dropped_waits_for_nothing() {
    let gate = crate::harness::inside::Gate::closed();
    let blocks = check_with("blocks", gate.door(), |door| async move { door.pass() });
    let agent = Agent::start(plan([blocks]), &Store::new()).unwrap();
    let addr = agent.addresses()[0];
    eventually("the check to block", SOON, || gate.waiting() == 1);
    drop(agent);
    eventually("the port to be free", SOON, || TcpListener::bind(addr));

    // Neither does one that did not start.
    let twins = plan([check("db", async || true), check("db", async || true)]);
    Agent::start(twins, &Store::new()).unwrap_err();
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listen = vec![taken.local_addr().unwrap()];
    let mut second = plan([]);
    second.listen = listen;
    let refused = Agent::start(second, &Store::new()).unwrap_err();
    assert!(refused.to_string().contains("the port is in use"), "{refused}");
}

/// The parts run on the runtime of whoever embeds them, without a server or a thread for it.
#[tokio::test(start_paused = true)]
async fn the_parts_work_without_an_agent() {
    let measured = check("queue", async || Outcome::pass().measure(Name::new("depth").unwrap(), 7.0));
    let parts = Parts::start([measured.critical()]);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(parts.get("/health/ready").await.status, 200);
    let view = parts.board.group("ready", tokio::time::Instant::now()).unwrap();
    assert_eq!(view.checks[0].standing.as_ref().unwrap().measurements[0].1, 7.0);
    let depth = [("healthcheck_name", "queue"), ("healthcheck_measurement", "depth")];
    parts.scrape().expect("healthcheck_measurement", &depth, 7.0);
    // Who asks is unknown without a connection, so it gets what the public gets.
    assert!(parts.json("/health").await["checks"]["queue"].get("details").is_none());
}
