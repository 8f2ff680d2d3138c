//! Traps about what checks are called and how they are set up.

use tokio::time::{Instant, sleep};
use vitalsign::{
    Agent, Plan, check,
    config::Document,
    health::Board,
    metrics::Store,
    model::{Criticality, Name},
    runner::Runner,
};

use super::seconds;
use crate::harness::inside::{Parts, plan, scrape_of};

#[tokio::test(start_paused = true)]
async fn trap_06_a_duplicate_name_is_refused() {
    let twins =
        || plan([check("db", async || true), check("cache", async || true), check("db", async || false)]);
    let (store, before) = (Store::new(), scrape_of(&Store::new()).samples().len());
    let refused = Agent::start(twins(), &store).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a check called \"db\" exists already: give each check a name of its own"
    );
    drop(refused);
    assert_eq!(before, scrape_of(&Store::new()).samples().len());

    let store = Store::new();
    let board = Board::new(store.clone());
    Runner::start(twins().checks, &board, &store).unwrap_err();
    assert!(board.check("db", Instant::now()).is_none() && board.check("cache", Instant::now()).is_none());
    assert_eq!(scrape_of(&store).values("healthcheck_info").len(), 0, "neither is half there");
}

#[tokio::test(start_paused = true)]
async fn trap_06_nor_does_a_later_one_replace_the_first() {
    let parts = Parts::start([check("db", async || true).critical()]);
    sleep(seconds(2)).await;
    let later = plan([check("new", async || true), check("db", async || false).critical()]);
    Runner::start(later.checks, &parts.board, &parts.store).unwrap_err();
    sleep(seconds(100)).await;
    assert_eq!(parts.json("/health/checks/db").await["status"], "healthy");
    assert_eq!(parts.get("/health/checks/new").await.status, 404);
    parts.scrape().expect("healthcheck_up", &[("healthcheck_name", "db")], 1.0);
}

/// There is no mapping of states to set; what can be set beside defaults are groups and limits.
#[test]
fn trap_10_one_setting_leaves_the_defaults_of_the_others() {
    let text = "\
checks:
  tasks: { kind: tasks, of: cgroup, thresholds: { tasks: { warn: 500 } }, groups: [own], interval: 60s }
  cpu: { kind: cpu, criticality: critical, groups: [own] }
";
    let (plan, _) = Plan::read(Document::parse("t", text, &|_| None)).unwrap();
    let [tasks, cpu] = plan.checks.as_slice() else { panic!("two checks") };
    let limits: Vec<_> = tasks.policy.thresholds.iter().map(|limit| limit.measurement.as_str()).collect();
    assert_eq!(limits, ["usage_ratio", "tasks"]);
    assert_eq!((tasks.policy.timeout, tasks.policy.fail_after), (seconds(5), 3));
    assert_eq!(cpu.policy.criticality, Criticality::Critical);

    let store = Store::new();
    let board = Board::new(store.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _runner = {
        let _on_runtime = runtime.enter();
        Runner::start(plan.checks, &board, &store).unwrap()
    };
    let members = |group: &str| -> Vec<Name> {
        let view = board.group(group, Instant::now()).unwrap();
        view.checks.iter().map(|judged| judged.entry.name.clone()).collect()
    };
    let [cpu, tasks] = ["cpu", "tasks"].map(|name| Name::new(name).unwrap());
    assert_eq!(members("own"), [cpu.clone(), tasks.clone()]);
    assert_eq!(members("health"), [cpu.clone(), tasks]);
    assert_eq!(members("ready"), std::slice::from_ref(&cpu));
    assert_eq!(members("startup"), [cpu]);
}
