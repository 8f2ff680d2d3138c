//! Work that ends in every way there is; whatever happens, nothing of it stays behind.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::*;
use crate::metrics::{render, violations};

fn page(store: &Store) -> String {
    let mut page = Vec::new();
    render(&store.snapshot(), &mut page);
    String::from_utf8(page).unwrap()
}

fn value(store: &Store, series: &str) -> f64 {
    let text = page(store);
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
    found.unwrap_or_else(|| panic!("{series} is not on {text}"))
}

/// Active, waiting, started, and how many ended ok, in error, cancelled and panicked.
fn counts(store: &Store) -> [f64; 7] {
    let of = |name: &str| value(store, &format!("taskgroup_{name}{{taskgroup_name=\"mailer\"}}"));
    let ended = |outcome: &str| {
        let labels = format!("taskgroup_name=\"mailer\",taskgroup_outcome=\"{outcome}\"");
        value(store, &format!("taskgroup_finished_total{{{labels}}}"))
    };
    let [ok, error, cancelled, panicked] = Ended::ALL.map(|outcome| ended(outcome.as_str()));
    [of("active"), of("waiting"), of("started_total"), ok, error, cancelled, panicked]
}

fn group() -> (Store, TaskGroup) {
    let store = Store::new();
    let group = TaskGroup::new(&store, "mailer");
    (store, group)
}

/// Lets every task go on until it waits.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[test]
fn every_definition_keeps_the_rules() {
    assert_eq!(DEFINITIONS.iter().flat_map(|definition| violations(definition)).collect::<Vec<_>>(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn results_tell_how_tasks_ended() {
    let (store, group) = group();
    let (release, released) = oneshot::channel::<()>();
    let task = group.spawn(released);
    settle().await;
    assert_eq!(counts(&store), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(group.active(), 1);
    release.send(()).unwrap();
    assert_eq!(task.await.unwrap(), Ok(()));
    assert!(group.spawn(async { Err::<(), _>("no") }).await.unwrap().is_err());
    group.spawn(sleep(Duration::from_secs(20))).await.unwrap();
    assert_eq!(counts(&store), [0.0, 0.0, 3.0, 2.0, 1.0, 0.0, 0.0]);
    assert_eq!(value(&store, "taskgroup_duration_seconds_bucket{taskgroup_name=\"mailer\",le=\"10\"}"), 2.0);
    assert_eq!(value(&store, "taskgroup_duration_seconds_bucket{taskgroup_name=\"mailer\",le=\"30\"}"), 3.0);
}

#[tokio::test(start_paused = true)]
async fn an_aborted_task_leaves_nothing_behind() {
    let (store, group) = group();
    let task = group.spawn(sleep(Duration::from_secs(3600)));
    settle().await;
    assert_eq!(group.active(), 1);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(counts(&store), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    // One that never came to its first poll was never started.
    let task = group.spawn(sleep(Duration::from_secs(3600)));
    task.abort();
    assert!(task.await.is_err());
    assert_eq!(counts(&store), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_is_cancelled() {
    let (store, group) = group();
    let timed = tokio::time::timeout(Duration::from_secs(1), group.run(sleep(Duration::from_secs(60))));
    assert!(timed.await.is_err());
    assert_eq!(counts(&store), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_and_goes_on() {
    let (store, group) = group();
    let task = group.spawn(async {
        yield_now().await;
        panic!("told to")
    });
    let task: Result<(), _> = task.await;
    assert!(task.unwrap_err().is_panic());
    assert_eq!(counts(&store), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_over_the_limit_waits() {
    let (store, group) = group();
    let group = group.limit(2);
    assert_eq!(value(&store, "taskgroup_limit{taskgroup_name=\"mailer\"}"), 2.0);
    let tasks: Vec<_> = (0..5).map(|_| group.spawn(sleep(Duration::from_secs(1)))).collect();
    settle().await;
    assert_eq!(counts(&store), [2.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!((group.active(), group.waiting()), (2, 3));
    // One that waits goes without ever having been started.
    tasks[4].abort();
    settle().await;
    assert_eq!(counts(&store), [2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    for (index, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.is_ok(), index != 4);
    }
    assert_eq!(counts(&store), [0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 0.0]);
    // Work that cannot wait goes on all the same.
    let work: Vec<_> = (0..3).map(|_| group.start()).collect();
    assert_eq!(group.active(), 3);
    drop(work);
    assert_eq!(group.active(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_or_an_abort_gives_its_place_back() {
    let (_store, group) = group();
    let group = group.limit(1);
    let panics: JoinHandle<()> = group.spawn(async { panic!("told to") });
    assert!(panics.await.is_err());
    let aborted = group.spawn(sleep(Duration::from_secs(60)));
    settle().await;
    aborted.abort();
    assert!(aborted.await.is_err());
    group.spawn(async {}).await.unwrap();
}

#[test]
fn a_guard_tells_how_work_ended() {
    let (store, group) = group();
    group.start().ok();
    group.start().error();
    group.start().finish(&Err::<(), _>(1));
    drop(group.start());
    let panics = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _work = group.start();
        panic!("told to");
    }));
    assert!(panics.is_err());
    assert_eq!(counts(&store), [0.0, 0.0, 5.0, 1.0, 2.0, 1.0, 1.0]);
}

#[test]
fn a_guard_that_is_made_while_something_else_panics_did_not_panic() {
    struct Cleanup(TaskGroup);
    impl Drop for Cleanup {
        fn drop(&mut self) {
            drop(self.0.start());
        }
    }
    let (store, group) = group();
    let panics = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let _cleanup = Cleanup(group.clone());
        panic!("told to");
    }));
    assert!(panics.is_err());
    assert_eq!(counts(&store), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
}

#[test]
fn a_group_may_have_buckets_of_its_own() {
    let (store, group) = group();
    let (group, other) = (group.buckets(&[0.001, 2.5]), TaskGroup::new(&store, "other"));
    group.start().ok();
    other.start().ok();
    let text = page(&store);
    let of = |name: &str| {
        let start = format!("taskgroup_duration_seconds_bucket{{taskgroup_name=\"{name}\",le=");
        text.lines().filter(|line| line.starts_with(&start)).count()
    };
    assert_eq!((of("mailer"), of("other")), (3, 13));
    assert!(text.contains("{taskgroup_name=\"mailer\",le=\"2.5\"} 1\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    // The heartbeats and limits have no value yet.
    assert_eq!(value(&store, "vitalsign_series"), (lines + 2) as f64);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_go_with_the_last_of_the_group() {
    let (store, group) = group();
    let task = group.spawn(sleep(Duration::from_secs(1)));
    settle().await;
    drop(group);
    assert_eq!(counts(&store)[0], 1.0, "work still goes on");
    task.await.unwrap();
    assert!(!page(&store).contains("mailer"));
}

#[test]
fn two_groups_of_one_name_add_up() {
    let (store, group) = group();
    let work = group.start();
    let again = TaskGroup::new(&store, "mailer");
    let more = again.start();
    assert_eq!(counts(&store)[0], 2.0);
    drop((work, more, again));
    assert_eq!(counts(&store)[0], 0.0);
}

#[test]
fn a_heartbeat_shows_when_it_last_beat() {
    let (store, group) = group();
    let heartbeat = "taskgroup_heartbeat_timestamp_seconds{taskgroup_name=\"mailer\"}";
    assert!(!page(&store).contains(heartbeat));
    group.heartbeat();
    assert!(value(&store, heartbeat) > 1.7e9);
}

#[tokio::test]
async fn polls_that_block_are_slow() {
    let (store, group) = group();
    let (_never, blocked) = std::sync::mpsc::channel::<()>();
    let work = async move {
        let _ = blocked.recv_timeout(Duration::from_millis(30));
    };
    group.run(work).await;
    assert!(value(&store, "taskgroup_poll_time_seconds_total{taskgroup_name=\"mailer\"}") >= 0.03);
    assert_eq!(value(&store, "taskgroup_slow_polls_total{taskgroup_name=\"mailer\"}"), 1.0);
}
