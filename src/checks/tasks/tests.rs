//! What is counted, and what the configuration may say.

use std::time::Duration;

use super::*;
use crate::agent::Plan;
use crate::config::Document;
use crate::metrics::Store;
use crate::model::Verdict;

fn plan(check: &str) -> Result<Plan, String> {
    let text = format!("checks:\n  t: {{ kind: tasks, {check} }}\n");
    let document = Document::parse("t.yaml", &text, &|_| None);
    Plan::read(document).map(|(plan, _)| plan).map_err(|problems| problems.to_string())
}

fn limits(check: &str) -> Vec<(String, f64)> {
    let plan = plan(check).unwrap();
    let thresholds = &plan.checks[0].policy.thresholds;
    thresholds.iter().map(|t| (t.measurement.to_string(), t.warn.unwrap().enter)).collect()
}

#[test]
fn the_default_limit_depends_on_what_is_counted() {
    assert_eq!(limits("of: runtime"), [("tasks".to_owned(), 100.0)]);
    assert_eq!(limits("of: cgroup"), [("usage_ratio".to_owned(), 0.8)]);
    assert_eq!(limits("of: runtime, thresholds: { tasks: { warn: 7 } }"), [("tasks".to_owned(), 7.0)]);
    assert_eq!(limits("of: threads, thresholds: { tasks: { warn: 7 } }"), [("tasks".to_owned(), 7.0)]);
}

#[test]
fn says_what_is_missing() {
    for of in ["processes", "threads"] {
        let problem = plan(&format!("of: {of}")).err().unwrap();
        assert!(problem.contains("thresholds: { tasks"), "{problem}");
    }
    let problem = plan("of: group:mailer").err().unwrap();
    assert!(problem.contains("tasks_of_group"), "{problem}");
    let problem = plan("of: thread").err().unwrap();
    assert!(problem.contains("did you mean `threads`"), "{problem}");
    assert!(plan("criticality: critical").err().unwrap().contains("is missing"));
}

#[test]
fn is_checked_only_where_somebody_asks_for_it() {
    let (text, _) = crate::agent::from_environment(&|_| None);
    assert!(text.contains("kind: cpu") && !text.contains("tasks") && !text.contains("process"), "{text}");
}

#[tokio::test]
async fn counts_the_tasks_of_the_runtime_that_it_runs_on() {
    let run = Run::new(Duration::from_secs(5));
    let before = RuntimeTasks { handle: None }.run(&run).await.measurements[0].1;
    let task = crate::supervisor::task(std::future::pending::<()>());
    let after = RuntimeTasks { handle: Some(Handle::current()) }.run(&run).await.measurements[0].1;
    task.abort();
    assert_eq!(after, before + 1.0);
}

#[tokio::test]
async fn counts_the_work_of_a_group() {
    let group = TaskGroup::new(&Store::new(), "mailer");
    let _work = (group.start(), group.start());
    let outcome = GroupTasks(group.clone()).run(&Run::new(Duration::from_secs(5))).await;
    assert_eq!(outcome.measurements[0].1, 2.0);
}

fn system(of: Of, root: Root) -> Outcome {
    let (limit, usage) = (Name::new("limit").unwrap(), usage::name().unwrap());
    SystemTasks { of, root, limit, usage }.run(&Run::new(Duration::from_secs(5)))
}

#[cfg(target_os = "linux")]
#[test]
fn counts_this_machine() {
    for of in [Of::Processes, Of::Threads] {
        let outcome = system(of, Root::default());
        assert_eq!(outcome.verdict, Verdict::Pass);
        assert!(outcome.measurements[0].1 >= 1.0);
    }
}

#[test]
fn measures_how_much_of_the_limit_is_used() {
    let judge = |limit| {
        let check = SystemTasks {
            of: Of::Cgroup,
            root: Root::default(),
            limit: Name::new("limit").unwrap(),
            usage: usage::name().unwrap(),
        };
        let outcome = check.judge(Some(ContainerTasks { tasks: 40, limit }));
        let measured = outcome.measurements.into_iter();
        measured.map(|(name, value)| (name.to_string(), value)).collect::<Vec<_>>()
    };
    let named = |list: &[(&str, f64)]| -> Vec<(String, f64)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
    };
    assert_eq!(judge(Some(50)), named(&[("tasks", 40.0), ("limit", 50.0), ("usage_ratio", 0.8)]));
    assert_eq!(judge(None), named(&[("tasks", 40.0), ("usage_ratio", 0.0)]));
}

#[test]
fn a_machine_without_proc_fails() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    for of in [Of::Processes, Of::Threads, Of::Cgroup] {
        assert_eq!(system(of, root.clone()).verdict, Verdict::Fail(Reason::NotFound), "{of:?}");
    }
}
